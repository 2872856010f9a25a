# Chooses the most accurate that fits, by however little it leads.

# %% id="q3" verdict="partly" points=2
def choose(table, budget, starts):
    over = {}
    for family, row in table.items():
        broken = [name for name in ("megabytes", "seconds") if row[name] > budget[name]]
        if broken:
            over[family] = broken
    fit = [family for family in table if family not in over]
    if not fit:
        return {"over": over, "choice": None, "behind": None}
    return {
        "over": over,
        "choice": max(fit, key=lambda family: table[family]["accuracy"]),
        "behind": 0.0,
    }
