"""Learn to read the 1,797 handwritten digits that come with scikit-learn, in 81 epochs. Nothing here knows of RiseML."""

import argparse

from sklearn.datasets import load_digits
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

EPOCHS = 81


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--hidden", type=int, required=True, help="neurons of the hidden layer")
    arguments.add_argument("--lr", type=float, required=True, help="learning rate")
    options = arguments.parse_args()

    images, labels = load_digits(return_X_y=True)
    train_images, test_images, train_labels, test_labels = train_test_split(images / 16, labels, test_size=0.25, random_state=0)
    model = MLPClassifier(hidden_layer_sizes=(options.hidden,), learning_rate_init=options.lr, random_state=0)
    for epoch in range(1, EPOCHS + 1):
        model.partial_fit(train_images, train_labels, classes=range(10))
        loss = log_loss(test_labels, model.predict_proba(test_images), labels=range(10))
        print(f"epoch {epoch}: loss {loss:.4f}")


if __name__ == "__main__":
    main()
