# Depth is taken for the number of blocks that learn.
# %% id="q2" verdict="wrong" points=0
def deepest(accuracies, pictures):
    best = max(accuracies.values())
    bound = best - 2 * (best * (1 - best) / pictures) ** 0.5
    return min(depth for depth, value in accuracies.items() if value >= bound)
