# The head already gets the factor.
# %% id="q1" verdict="wrong" points=0
def block_rates(names, top, factor):
    return {name: top * factor ** (power + 1) for power, name in enumerate(reversed(names))}
