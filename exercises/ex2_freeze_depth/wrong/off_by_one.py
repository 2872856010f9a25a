# One block too few is frozen.
# %% id="q1" framework="pytorch" verdict="partly" points=1
def train_at_depth(network, pictures, labels, depth):
    model = build(network).eval()
    chosen = [p for name in BLOCKS[max(depth - 1, 0) :] for p in model[name].parameters()]
    optimizer = torch.optim.Adam(chosen, lr=0.01)
    x, y = torch.as_tensor(pictures), torch.as_tensor(labels)
    for _ in range(60):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()
    return arrays_of(model)


# %% id="q1" framework="tensorflow" verdict="partly" points=1
def train_at_depth(network, pictures, labels, depth):
    model = build(network)
    names = BLOCKS[max(depth - 1, 0) :]
    chosen = [v for name in names for v in model.get_layer(name).trainable_variables]
    optimizer = tf.keras.optimizers.Adam(0.01)
    for _ in range(60):
        with tf.GradientTape() as tape:
            logits = model(pictures, training=False)
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
            loss = tf.reduce_mean(losses)
        optimizer.apply_gradients(zip(tape.gradient(loss, chosen), chosen))
    return arrays_of(model)


# %% id="q2" verdict="wrong" points=0
def deepest(accuracies, pictures):
    best = max(accuracies.values())
    bound = best - (best * (1 - best) / pictures) ** 0.5  # one standard error
    return max(depth for depth, value in accuracies.items() if value >= bound)
