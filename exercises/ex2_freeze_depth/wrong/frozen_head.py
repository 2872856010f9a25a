# The tutorials' mistake: all is frozen, the head too, and then the last block learns.
# %% id="q1" framework="pytorch" verdict="wrong" points=0
def train_at_depth(network, pictures, labels, depth):
    model = build(network).eval()
    optimizer = torch.optim.Adam(model["block3"].parameters(), lr=1e-5)
    x, y = torch.as_tensor(pictures), torch.as_tensor(labels)
    for _ in range(10):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()
    return arrays_of(model)


# %% id="q1" framework="tensorflow" verdict="wrong" points=0
def train_at_depth(network, pictures, labels, depth):
    model = build(network)
    for layer in model.layers:
        layer.trainable = False
    model.get_layer("block3").trainable = True
    model.get_layer("block3").layers[1].trainable = False
    loss = tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(tf.keras.optimizers.Adam(1e-5), loss)
    model.fit(pictures, labels, epochs=1, batch_size=60, verbose=0)
    return arrays_of(model)
