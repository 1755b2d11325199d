"""Numbers that the authors published, each with its place."""

# Test log-loss of RDIA on MNIST 1 vs 7 by alpha and noise: the README of the authors' released code.
MNIST_ALPHA = {
    (0.01, 0.0): 0.0235, (0.01, 0.2): 0.0443, (0.01, 0.5): 0.0903, (0.01, 0.8): 0.1009,
    (0.002, 0.0): 0.0207, (0.002, 0.2): 0.0315, (0.002, 0.5): 0.0519, (0.002, 0.8): 0.0465,
    (0.0002, 0.0): 0.0903, (0.0002, 0.2): 0.0392, (0.0002, 0.5): 0.0410, (0.0002, 0.8): 0.0405,
}  # fmt: skip

# Test accuracy of RDIA-LS, %, mean ± sd: data set, noise type and rate (the authors' README).
DEEP = {("mnist", "symmetric", 0.8): "87.85 ± 0.21", ("cifar10", "symmetric", 0.8): "25.35 ± 0.17"}

# Where the curves of the paper's figure 3 end, %, by noise rate and the released flag gamma (the figure has 1 - gamma).
FIGURE_3 = {
    **{(0.2, gamma): 98.0 for gamma in (0.2, 0.4, 0.6, 0.8)},
    (0.8, 0.2): 88.0,
    **{(0.8, gamma): 86.5 for gamma in (0.4, 0.6, 0.8)},
}
