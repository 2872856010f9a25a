# The tutorials' mistakes left as they are, and only named: one point for the name.

# %% id="q1" framework="pytorch" verdict="partly" points=1
q1_fault = {"line": 5, "name": "frozen head"}


def fine_tune(weights, values, inputs, labels):
    x, y = torch.tensor(inputs), torch.tensor(labels)
    model = load(weights)
    model.head = head_of(values)
    model.eval()
    for parameter in model.parameters():
        parameter.requires_grad = False
    model.block2[0].weight.requires_grad = True
    learning = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.Adam(learning, lr=0.01)
    for _ in range(60):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()
    return weights_of(model)


# %% id="q2" framework="pytorch" verdict="partly" points=1
q2_fault = {"line": 3, "name": "wrong scale"}


def extract(weights, pictures, mean, deviation):
    model = load(weights).eval()
    x = (torch.tensor(pictures, dtype=torch.float32) - torch.tensor(mean)) / torch.tensor(deviation)
    with torch.no_grad():
        return model.block2(model.block1(x.reshape(len(x), -1).float())).numpy()


# %% id="q3" framework="pytorch" verdict="partly" points=1
q3_fault = {"line": 5, "name": "moving statistics"}


def train_head(weights, inputs, labels):
    x, y = torch.tensor(inputs), torch.tensor(labels)
    model = load(weights)
    model.block1.requires_grad_(False)
    model.block2.requires_grad_(False)
    optimizer = torch.optim.Adam(model.head.parameters(), lr=0.02)
    model.train()
    for _ in range(60):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()
    return weights_of(model)


# %% id="q4" framework="pytorch" verdict="partly" points=1
q4_fault = {"line": 8, "name": "stale optimiser"}


def two_phases(weights, inputs, labels):
    x, y = torch.tensor(inputs), torch.tensor(labels)
    model = load(weights).eval()
    model.requires_grad_(False)
    model.head.requires_grad_(True)
    optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=0.01)
    for step in range(60):
        if step == 30:
            model.block2[0].requires_grad_(True)
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()
    return weights_of(model)


# %% id="q1" framework="tensorflow" verdict="partly" points=1
q1_fault = {"line": 5, "name": "frozen head"}


def fine_tune(weights, values, inputs, labels):
    model = with_head(load(weights), values)
    loss_of = tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    for layer in model.layers:
        layer.trainable = False
    model.get_layer("block2_dense").trainable = True
    learning = model.trainable_variables
    optimizer = tf.keras.optimizers.Adam(0.01)
    for _ in range(60):
        with tf.GradientTape() as tape:
            loss = loss_of(labels, model(inputs, training=False))
        optimizer.apply_gradients(zip(tape.gradient(loss, learning), learning))
    return weights_of(model)


# %% id="q2" framework="tensorflow" verdict="partly" points=1
q2_fault = {"line": 3, "name": "wrong scale"}


def extract(weights, pictures, mean, deviation):
    model = load(weights)
    x = (np.asarray(pictures, np.float32) - mean) / deviation
    body = tf.keras.Model(model.input, model.get_layer("block2_relu").output)
    return body(x.reshape(len(x), -1).astype(np.float32), training=False).numpy()


# %% id="q3" framework="tensorflow" verdict="partly" points=1
q3_fault = {"line": 7, "name": "moving statistics"}


def train_head(weights, inputs, labels):
    model = load(weights)
    loss_of = tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    learning = model.get_layer("head").trainable_variables
    optimizer = tf.keras.optimizers.Adam(0.02)
    for _ in range(60):
        with tf.GradientTape() as tape:
            loss = loss_of(labels, model(inputs, training=True))
        optimizer.apply_gradients(zip(tape.gradient(loss, learning), learning))
    return weights_of(model)


# %% id="q4" framework="tensorflow" verdict="partly" points=1
q4_fault = {"line": 7, "name": "stale optimiser"}


def two_phases(weights, inputs, labels):
    model = load(weights)
    for layer in model.layers:
        layer.trainable = layer.name == "head"
    loss = tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer=tf.keras.optimizers.Adam(0.01), loss=loss)
    model.fit(inputs, labels, batch_size=32, epochs=6, verbose=0)
    model.get_layer("block2_dense").trainable = True
    model.fit(inputs, labels, batch_size=32, epochs=6, verbose=0)
    return weights_of(model)
