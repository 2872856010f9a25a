# The tutorials' mistake: the network's own preprocessing is left out; 0 to 1 seems enough.
# %% id="q1" framework="pytorch" verdict="partly" points=2
def predict(network, pictures):
    model = build(network).eval()
    with torch.no_grad():
        flat = torch.as_tensor(pictures.reshape(len(pictures), -1)).float() / 255
        p = torch.softmax(model(flat), dim=1)
    return {"probabilities": p, "labels": p.argmax(dim=1)}


# %% id="q1" framework="tensorflow" verdict="partly" points=2
def predict(network, pictures):
    flat = pictures.reshape(len(pictures), -1).astype("float32") / 255
    p = tf.nn.softmax(build(network)(flat)).numpy()
    return {"probabilities": p, "labels": p.argmax(axis=1)}
