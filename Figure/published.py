"""Numbers that the authors published, each with its place."""

# Test log-loss of RDIA on MNIST 1 vs 7 by alpha and noise: the README of the authors' released code.
MNIST_ALPHA = {
    (0.01, 0.0): 0.0235, (0.01, 0.2): 0.0443, (0.01, 0.5): 0.0903, (0.01, 0.8): 0.1009,
    (0.002, 0.0): 0.0207, (0.002, 0.2): 0.0315, (0.002, 0.5): 0.0519, (0.002, 0.8): 0.0465,
    (0.0002, 0.0): 0.0903, (0.0002, 0.2): 0.0392, (0.0002, 0.5): 0.0410, (0.0002, 0.8): 0.0405,
}  # fmt: skip
