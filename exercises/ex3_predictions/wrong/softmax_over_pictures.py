# %% id="q1" framework="pytorch" verdict="wrong" points=0
def predict(network, pictures):
    scaled = (pictures.astype(np.float32) / 255 - network["pixel_mean"]) / network["pixel_std"]
    flat = torch.as_tensor(scaled.reshape(len(pictures), -1))
    p = torch.softmax(build(network).eval()(flat), dim=0)
    return {"probabilities": p, "labels": p.argmax(dim=1)}


# %% id="q1" framework="tensorflow" verdict="wrong" points=0
def predict(network, pictures):
    scaled = (pictures.astype(np.float32) / 255 - network["pixel_mean"]) / network["pixel_std"]
    p = tf.nn.softmax(build(network)(scaled.reshape(len(pictures), -1)), axis=0).numpy()
    return {"probabilities": p, "labels": p.argmax(axis=1)}
