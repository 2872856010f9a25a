# Logits are returned as if they were probabilities.
# %% id="q1" framework="pytorch" verdict="partly" points=1
def predict(network, pictures):
    scaled = (pictures.astype(np.float32) / 255 - network["pixel_mean"]) / network["pixel_std"]
    logits = build(network).eval()(torch.as_tensor(scaled.reshape(len(pictures), -1)))
    return {"probabilities": logits, "labels": logits.argmax(dim=1)}


# %% id="q1" framework="tensorflow" verdict="partly" points=1
def predict(network, pictures):
    scaled = (pictures.astype(np.float32) / 255 - network["pixel_mean"]) / network["pixel_std"]
    logits = build(network)(scaled.reshape(len(pictures), -1)).numpy()
    return {"probabilities": logits, "labels": logits.argmax(axis=1)}
