# Trusts an argument's name: weight_decay is something else in the other framework.

# %% id="q3" framework="pytorch" verdict="partly" points=1
def train(weight, bias, batches):
    weight = torch.tensor(weight, requires_grad=True)
    bias = torch.tensor(bias, requires_grad=True)
    optimizer = torch.optim.Adam([weight, bias], lr=0.05, weight_decay=0.01)
    losses = []
    for features, labels in batches:
        logits = torch.tensor(features) @ weight + bias
        loss = nn.functional.cross_entropy(logits, torch.tensor(labels).long())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return {"losses": losses, "weight": weight.detach(), "bias": bias.detach()}


# %% id="q3" framework="tensorflow" verdict="partly" points=1
def train(weight, bias, batches):
    learning = [tf.Variable(weight), tf.Variable(bias)]
    optimizer = tf.keras.optimizers.Adam(0.05, weight_decay=0.02)
    losses = []
    for features, labels in batches:
        with tf.GradientTape() as tape:
            logits = features @ tf.transpose(learning[0]) + learning[1]
            each = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
            loss = tf.reduce_mean(each)
        optimizer.apply_gradients(zip(tape.gradient(loss, learning), learning))
        losses.append(float(loss))
    return {"losses": losses, "weight": learning[0].numpy(), "bias": learning[1].numpy()}
