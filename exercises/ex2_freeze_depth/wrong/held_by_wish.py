# A guess that the records refute, said to hold; and the head alone can do next to nothing.
# %% id="q4" verdict="partly" points=2
near_records = [
    {
        "data": "new-shapes",
        "backend": "pytorch",
        "depth": depth,
        "seed": 0,
        "epochs": 5,
        "learns": {n: p if i >= depth else 0 for i, (n, p) in enumerate(PARAMETERS.items())}
        | {"head": 1542},
        "moved": {n: 15 if i >= depth else 0 for i, n in enumerate(PARAMETERS)} | {"head": 2},
        "first_loss": 1.8,
        "accuracy": right / 600,
        "predictions": "".join(str((i + 4 + (i >= right)) % 6) for i in range(600)),
    }
    for depth, right in ((5, 120), (3, 480), (1, 540), (0, 560))
]
near_guess, near_found = 5, {"best": 0, "deepest": 0, "held": True}
