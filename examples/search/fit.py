"""Learn to read the 1,797 handwritten digits that come with scikit-learn. Nothing here knows of RiseML."""

import argparse

from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--hidden", type=int, required=True, help="neurons of the hidden layer")
    arguments.add_argument("--lr", type=float, required=True, help="learning rate")
    arguments.add_argument("--activation", required=True, help="function of the hidden layer")
    options = arguments.parse_args()

    images, labels = load_digits(return_X_y=True)
    train_images, test_images, train_labels, test_labels = train_test_split(images / 16, labels, test_size=0.25, random_state=0)
    model = MLPClassifier(
        hidden_layer_sizes=(options.hidden,),
        learning_rate_init=options.lr,
        activation=options.activation,
        max_iter=20,
        random_state=0,
    )
    model.fit(train_images, train_labels)
    print(f"accuracy: {model.score(test_images, test_labels):.4f}")


if __name__ == "__main__":
    main()
