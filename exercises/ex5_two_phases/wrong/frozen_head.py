# The tutorials' mistake: the head is frozen along with the rest, then the last block learns.
# %% id="q3" framework="pytorch" verdict="wrong" points=0
def two_phases(network, pictures, labels):
    model = build(network)
    model.requires_grad_(False)
    model["block2"].requires_grad_(True)
    optimizer = torch.optim.Adam(model["block2"].parameters(), lr=1e-5)
    for _ in range(20):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(
            model(torch.as_tensor(pictures)), torch.as_tensor(labels)
        ).backward()
        optimizer.step()
    return {"first": arrays_of(model), "second": arrays_of(model)}


# %% id="q3" framework="tensorflow" verdict="wrong" points=0
def two_phases(network, pictures, labels):
    model = build(network)
    for layer in model.layers:
        layer.trainable = layer.name == "block2"
    loss = tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(tf.keras.optimizers.Adam(1e-5), loss)
    model.fit(pictures, labels, epochs=1, batch_size=200, verbose=0)
    return {"first": arrays_of(model), "second": arrays_of(model)}
