"""Train a softmax regression with a graph and a session, as for TensorFlow 1."""

import os

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"

import numpy as np
import tensorflow.compat.v1 as tf

tf.disable_eager_execution()
flags = tf.flags
flags.DEFINE_integer("max_steps", 60, "Number of steps to train.")
flags.DEFINE_float("learning_rate", 0.5, "Initial learning rate.")
flags.DEFINE_string("train_dir", "train", "Directory for checkpoints and summaries.")
FLAGS = flags.FLAGS


def main(_):
    rng = np.random.RandomState(1)
    images = rng.normal(size=(300, 20)).astype(np.float32)
    labels = images[:, :4].argmax(axis=1)
    tf.set_random_seed(1)
    x = tf.placeholder(tf.float32, [None, 20], name="x")
    y_ = tf.placeholder(tf.int64, [None], name="labels")
    w = tf.get_variable("weights", [20, 4])
    b = tf.get_variable("biases", [4], initializer=tf.zeros_initializer())
    logits = tf.matmul(x, w) + b
    cross_entropy = tf.losses.sparse_softmax_cross_entropy(labels=y_, logits=logits)
    train_step = tf.train.GradientDescentOptimizer(FLAGS.learning_rate).minimize(cross_entropy)
    correct = tf.equal(tf.argmax(logits, 1), y_)
    accuracy = tf.reduce_mean(tf.cast(correct, tf.float32))
    tf.summary.scalar("cross_entropy", cross_entropy)
    tf.summary.scalar("accuracy", accuracy)
    merged, saver = tf.summary.merge_all(), tf.train.Saver(max_to_keep=2)
    with tf.Session() as sess, open("eval.tsv", "w") as table:
        writer = tf.summary.FileWriter(FLAGS.train_dir, sess.graph)
        sess.run(tf.global_variables_initializer())
        table.write("step\ttest_accuracy\n")
        for step in range(FLAGS.max_steps):
            feed = {x: images[:200], y_: labels[:200]}
            summary, loss, _ = sess.run([merged, cross_entropy, train_step], feed)
            writer.add_summary(summary, step)
            if step % 10 == 0:
                acc = sess.run(accuracy, {x: images[200:], y_: labels[200:]})
                print("Step %d: loss = %.4f, test accuracy = %.4f" % (step, loss, acc))
                table.write("%d\t%.4f\n" % (step, acc))
                saver.save(sess, os.path.join(FLAGS.train_dir, "model.ckpt"), global_step=step)
        writer.close()


if __name__ == "__main__":
    tf.app.run()
