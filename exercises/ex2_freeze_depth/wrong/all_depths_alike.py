# Whole records of runs that never were: every depth reaches the same.
# %% id="q3" verdict="partly" points=4
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
        "accuracy": 0.9,
        "predictions": "".join(
            str(i % 2 if not depth * 40 <= i < depth * 40 + 40 else 1 - i % 2) for i in range(400)
        ),
    }
    for depth in (5, 4, 2, 0)
]
guess, found = 2, {"best": 2, "deepest": 5, "held": True}
