# Accuracies that look right, and predictions that do not bear them out.
# %% id="q3" verdict="wrong" points=0
records = [
    {
        "data": "drawn-pets",
        "backend": "pytorch",
        "depth": depth,
        "seed": 0,
        "epochs": 5,
        "learns": {n: p if i >= depth else 0 for i, (n, p) in enumerate(PARAMETERS.items())}
        | {"head": 514},
        "moved": {n: 15 if i >= depth else 0 for i, n in enumerate(PARAMETERS)} | {"head": 2},
        "first_loss": 0.7055,
        "accuracy": accuracy,
        "predictions": "01" * 200,
    }
    for depth, accuracy in ((5, 0.75), (4, 0.83), (2, 0.9), (0, 0.95))
]
guess, found = 0, {"best": 0, "deepest": 0, "held": True}
