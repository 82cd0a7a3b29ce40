"""Check of the schedules that Argo's controller accepts, which runs nothing on any other one."""

import re

_PREFIX = re.compile(r"(CRON_)?TZ=\S+\s+")
_WORDS = re.compile(
    r"@(yearly|annually|monthly|weekly|daily|midnight|hourly|every\s+\S+)"
)
# Minute, hour, day of month, month and day of week; a week begins with 0, Sunday.
_RANGES = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 6))
_VALUE = r"[0-9]+|[A-Za-z]{3}"
_PART = re.compile(rf"(\*|\?|(?P<first>{_VALUE})(-(?P<last>{_VALUE}))?)(/[1-9][0-9]*)?")


def is_valid(schedule: str) -> bool:
    """Return whether Argo would accept a schedule, such as `0 3 * * *` or `@daily`."""
    text = schedule.strip()
    prefix = _PREFIX.match(text)
    if prefix is not None:
        text = text[prefix.end() :]
    if text.startswith("@"):
        return _WORDS.fullmatch(text) is not None
    fields = text.split()
    if len(fields) != len(_RANGES):
        return False
    for field, (least, most) in zip(fields, _RANGES, strict=True):
        for part in field.split(","):
            if not _is_within(part, least, most):
                return False
    return True


def _is_within(part: str, least: int, most: int) -> bool:
    match = _PART.fullmatch(part)
    if match is None:
        return False
    for value in match.group("first", "last"):
        # Names such as MON are left to Argo.
        if value and value.isdecimal() and not least <= int(value) <= most:
            return False
    return True
