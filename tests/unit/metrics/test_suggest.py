"""Names that a log suggests."""

import pytest

from riseml.metrics.suggest import metric_names


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("epoch 3 lr=0.1 loss=0.5 val_loss=0.7 time=3.2", ("val_loss", "loss")),
        ("step 250: train loss 2.4, val loss 2.5", ("val_loss", "train_loss")),
        ("{'eval_loss': 0.5, 'grad_norm': 2, 'epoch': 1}", ("eval_loss",)),
        ("Accuracy: 93.1%\nAccuracy: 94%", ("Accuracy",)),
        ("[10]\tvalidation-rmse:0.53\ttrain-rmse:0.4", ("validation-rmse", "train-rmse")),
        ("|    ep_rew_mean      | 23.5      |", ("ep_rew_mean",)),
        ("--loss=mse error: file not found, accuracy: high", ()),
        ("port=29500 pid: 17 size 3", ()),
        ("a_mse=1 b_mse=1 c_mse=1 d_mse=1 e_mse=1 test_acc=1", ("test_acc", "a_mse", "b_mse", "c_mse", "d_mse")),
    ],
)  # fmt: skip
def test_names_of_metrics_are_suggested(text: str, names: tuple[str, ...]) -> None:
    assert metric_names(text) == names
