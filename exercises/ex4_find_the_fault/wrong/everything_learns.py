# Repairs the frozen head by freezing nothing.

# %% id="q1" framework="pytorch" verdict="partly" points=1
q1_fault = {"line": 5, "name": "frozen head"}


def fine_tune(weights, values, inputs, labels):
    x, y = torch.tensor(inputs), torch.tensor(labels)
    model = load(weights)
    model.head = head_of(values)
    model.eval()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(60):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()
    return weights_of(model)


# %% id="q1" framework="tensorflow" verdict="partly" points=1
q1_fault = {"line": 5, "name": "frozen head"}


def fine_tune(weights, values, inputs, labels):
    model = with_head(load(weights), values)
    loss_of = tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    optimizer = tf.keras.optimizers.Adam(0.01)
    for _ in range(60):
        with tf.GradientTape() as tape:
            loss = loss_of(labels, model(inputs, training=False))
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply_gradients(zip(gradients, model.trainable_variables))
    return weights_of(model)
