# The second phase trains the head alone, too, as if nothing had been recompiled.
# %% id="q3" framework="pytorch" verdict="partly" points=1
def two_phases(network, pictures, labels):
    model = build(network)
    optimizer = torch.optim.Adam(model["head"].parameters(), lr=0.01)
    kept = []
    for _ in range(2):
        for _ in range(5):
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(
                model(torch.as_tensor(pictures)), torch.as_tensor(labels)
            ).backward()
            optimizer.step()
        kept.append(arrays_of(model))
    return {"first": kept[0], "second": kept[1]}


# %% id="q3" framework="tensorflow" verdict="partly" points=1
def two_phases(network, pictures, labels):
    model = build(network)
    for layer in model.layers:
        layer.trainable = layer.name == "head"
    loss = tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(tf.keras.optimizers.Adam(0.005), loss)
    kept = []
    for _ in range(2):
        model.fit(pictures, labels, epochs=1, batch_size=200, verbose=0)
        kept.append(arrays_of(model))
    return {"first": kept[0], "second": kept[1]}
