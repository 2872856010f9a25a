# Frozen by requires_grad alone, or called with training=True: the running statistics move.
# %% id="q1" framework="pytorch" verdict="partly" points=1
def train_at_depth(network, pictures, labels, depth):
    model = build(network)
    for name in BLOCKS[:depth]:
        model[name].requires_grad_(False)
    optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=0.01)
    x, y = torch.as_tensor(pictures), torch.as_tensor(labels)
    for _ in range(150):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()
    return arrays_of(model)


# %% id="q1" framework="tensorflow" verdict="partly" points=1
def train_at_depth(network, pictures, labels, depth):
    model = build(network)
    for name in BLOCKS[:depth]:
        model.get_layer(name).trainable = False
    loss = tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(tf.keras.optimizers.Adam(0.01), loss)
    model.fit(pictures, labels, epochs=100, batch_size=120, verbose=0)
    return arrays_of(model)
