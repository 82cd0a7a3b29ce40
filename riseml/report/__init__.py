"""Report: one HTML page about runs, which works without a network.

    runs, curves ──figures──▶ plain data for Plotly ──page──▶ HTML with Plotly's own JavaScript

    arrays.py      numbers as Plotly's JavaScript reads them
    axes.py        the values of a parameter or metric as positions on an axis
    figures.py     parallel coordinates, metrics against parameters, importance, curves
    importance.py  which parameters matter, by Optuna
    content.py     what the page says besides, such as the table of results
    facts.py       facts about each run
    page.py        the page

Figures are plain dictionaries. Plotly's Python classes are not needed, only its bundle.
Plotly draws unusual values in unexpected ways, so no figure contains any: `axes.py` says how
they are shown instead.
"""
