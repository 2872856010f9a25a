# Divides the spread by n, keeps the first epoch; takes what equals the budget for too much.

# %% id="q2" verdict="wrong" points=0
def compare(runs):
    table = {}
    for family, run in runs.items():
        reached = (run["logits"].argmax(axis=-1) == run["labels"]).mean(axis=1)
        table[family] = {
            "accuracy": reached.mean(),
            "spread": reached.std(),
            "seconds": np.median(run["seconds"]),
            "megabytes": sum(value.nbytes for value in run["weights"].values()) / 1e6,
        }
    return table


# %% id="q3" verdict="partly" points=1
def choose(table, budget, starts):
    over = {}
    for family, row in table.items():
        broken = [name for name in ("megabytes", "seconds") if row[name] >= budget[name]]
        if broken:
            over[family] = broken
    fit = [family for family in table if family not in over]
    if not fit:
        return {"over": over, "choice": None, "behind": None}
    return {"over": over, "choice": fit[0], "behind": 0.0}
