# Takes every weight for one of four bytes.

# %% id="q2" verdict="partly" points=2
def compare(runs):
    table = {}
    for family, run in runs.items():
        reached = (run["logits"].argmax(axis=-1) == run["labels"]).mean(axis=1)
        table[family] = {
            "accuracy": reached.mean(),
            "spread": reached.std(ddof=1),
            "seconds": np.median(run["seconds"][1:]),
            "megabytes": 4 * sum(value.size for value in run["weights"].values()) / 1e6,
        }
    return table
