"""What the lines of the mirrored backends mean differently: one sentence or two for each.

Every remark quotes the code that it speaks of, so that a test can hold it to the source.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Remark:
    """A difference in meaning between two mirrored functions.

    Attributes:
        step: The step that it belongs to.
        name: The function, by its file: ``"training.make_step"``.
        pytorch: Code of PyTorch's function that it speaks of; empty if it has none.
        tensorflow: Code of TensorFlow's; empty if it has none.
        title: What it is about, in a few words.
        text: What it means.
    """

    step: str
    name: str
    pytorch: str
    tensorflow: str
    title: str
    text: str


REMARKS = (
    Remark(
        "load",
        "devices.pick_device",
        "torch.backends.cudnn.allow_tf32 = False",
        "tf.config.experimental.enable_tensor_float_32_execution(False)",
        "TF32 on a GPU",
        "Left alone, PyTorch computes convolutions on recent NVIDIA GPUs in TF32, which keeps 10 "
        "bits of a fraction instead of 23, and matrix products in float32. TensorFlow computes "
        "both in TF32. Here it is off in both.",
    ),
    Remark(
        "load",
        "devices.pick_device",
        "",
        "tf.config.experimental.set_memory_growth(gpu, True)",
        "Memory on a GPU",
        "TensorFlow takes nearly all of a GPU's memory at its first operation unless it is told "
        "to grow. PyTorch takes what it needs.",
    ),
    Remark(
        "load",
        "backbones.build",
        "model = make_model(architecture, dtype, differences).to_empty(device=chosen)",
        "model = make_model(architecture, _POLICIES[precision], differences)",
        "Device and type",
        "A PyTorch module is moved to a device, and to a type, as a whole. Keras places variables "
        "where the surrounding tf.device says, and each layer has a policy: one type for its "
        "weights, one for its arithmetic.",
    ),
    Remark(
        "load",
        "backbones.build",
        "",
        'keras.config.set_image_data_format("channels_last")',
        "Channels first or last",
        "A batch of pictures is (n, channels, height, width) in PyTorch and (n, height, width, "
        "channels) in TensorFlow. Keras can be set to the other order in a file of the user's, so "
        "the order is fixed here.",
    ),
    Remark(
        "load",
        "backbones.load",
        "with torch.no_grad():",
        "",
        "When gradients are recorded",
        "PyTorch records what is computed with a weight that learns, unless it is told not to. "
        "TensorFlow records only inside a GradientTape, so there is nothing to turn off.",
    ),
    Remark(
        "load",
        "backbones.load",
        'if name.endswith(".num_batches_tracked"):',
        "",
        "A counter",
        "PyTorch's batch norm also counts its batches. The count matters only if momentum is "
        "None, which no network here has. Keras has no such counter.",
    ),
    Remark(
        "load",
        "backbones.load",
        "value.copy_(torch.from_numpy(np.ascontiguousarray(given)))",
        "values = given.transpose(axes).reshape(variable.shape)",
        "The order of a kernel's axes",
        "A convolution's kernel is (out, in, height, width) in PyTorch and (height, width, in, "
        "out) in Keras; a dense layer's weights are (out, in) and (in, out). The files hold "
        "PyTorch's order, so TensorFlow has to turn them.",
    ),
    Remark(
        "freeze",
        "freezing.apply_freeze",
        "network.model.train()",
        "",
        "The mode is a flag of every module",
        "train() puts every module into training mode, frozen ones too, so that batch norm and "
        "dropout must be put back after it, each time. Keras has no such line: every call of the "
        "model says training=True or False.",
    ),
    Remark(
        "freeze",
        "freezing.apply_freeze",
        "parameter.requires_grad_(state.learns)",
        "layer.trainable = state.learns",
        "The same words, two behaviours",
        "requires_grad=False stops the learning of a weight and nothing else: batch norm goes on "
        "normalising with each batch's own statistics and moving the running ones. In Keras, "
        "trainable=False also puts a BatchNormalization layer into inference mode.",
    ),
    Remark(
        "freeze",
        "freezing.apply_freeze",
        'module.train(state.batch_norm != "inference")',
        "layer.policy = state.batch_norm",
        "Where batch norm's mode is kept",
        "In PyTorch it is the module's own flag, which the next model.train() sets again. In "
        "TensorFlow ftkit's BatchNorm keeps a policy that its call() asks, and nothing else "
        "changes it.",
    ),
    Remark(
        "freeze",
        "freezing.apply_freeze",
        "module.train(state.learns)",
        "layer.active = state.learns",
        "Frozen dropout",
        "Frozen blocks drop nothing. PyTorch's flag does it; Keras's call says training=True to "
        "every layer at once, so the layer has a flag of its own here.",
    ),
    Remark(
        "freeze",
        "freezing.apply_freeze",
        "",
        "layer = network.model.get_layer(state.layer.name)",
        "What was traced stays as it was",
        "A tf.function reads trainable and the policy once, when it is traced. Changes after that "
        "do nothing until a new step is made; with compile and fit, until the model is compiled "
        "again. PyTorch reads its flags at every step.",
    ),
    Remark(
        "freeze",
        "freezing.batch_norm_modes",
        'modes[name] = moving if module.training else "inference"',
        'modes[layer.name] = "inference" if layer.policy == "inference" else moving',
        "How to look",
        "In PyTorch, module.training tells the mode for certain. In Keras the mode comes with the "
        "call, so a layer alone can tell only what it will do when training=True arrives.",
    ),
    Remark(
        "freeze",
        "layers.BatchNorm.call",
        "",
        'moving = bool(training) and self.policy != "inference"',
        "Two things decide",
        "Batch statistics are used only if the call says training=True and the layer's policy "
        "allows it. A frozen batch norm is one that ignores training=True.",
    ),
    Remark(
        "freeze",
        "layers.BatchNorm.call",
        "",
        "self.moving_variance, sample if self.unbiased else sample * (count - 1) / count",
        "The running variance",
        "Both frameworks normalise a batch with its biased variance, the mean square. PyTorch "
        "adds the unbiased one, n/(n-1) times as large, to the running variance; Keras adds the "
        "biased one. With 4 values per channel that is a third.",
    ),
    Remark(
        "head",
        "families.make_model",
        'with torch.device("meta"):  # nothing is drawn that would be thrown away',
        "inputs = keras.Input((None, None, 3), dtype=keras.DTypePolicy(dtype).variable_dtype)",
        "A module, or a graph of calls",
        "PyTorch's network is an object made of modules; its forward() calls them. This Keras "
        "model is made by calling layers on a placeholder, from the input to the logits, and "
        "remembers those calls.",
    ),
    Remark(
        "head",
        "families.make_model",
        "_replace(model, architecture.head_name, _head(architecture))",
        "x = writer.write(item, [values[source] for source in item.inputs])",
        "Replacing the head",
        "In PyTorch the new head takes the old one's name in the module, and forward() calls it "
        "from then on. In Keras the calls cannot be changed afterwards: the new head is written "
        "behind the backbone's last output, here as the last operations of this loop.",
    ),
    Remark(
        "head",
        "families.make_model",
        "return model.to(dtype=dtype).to(memory_format=torch.channels_last)",
        "return keras.Model(inputs, x)",
        "Channels last in memory alone",
        "PyTorch's channels_last changes the order of numbers in memory, for speed. The shape "
        "stays (n, channels, height, width).",
    ),
    Remark(
        "head",
        "families._head",
        "output = nn.Linear(into, out)",
        "",
        "How wide is the input?",
        "PyTorch's layer must be told how many inputs it gets: a new head fits only the backbone "
        "that it was made for. Keras's Dense finds out when it is called.",
    ),
    Remark(
        "head",
        "families._Writer.write",
        "",
        'return layers.Dense(item.channels, kernel_initializer="zeros", **options)(x)',
        "What a new head starts from",
        "Left alone, PyTorch draws weights and bias uniformly within 1/sqrt(inputs); Keras draws "
        "weights within sqrt(6 / (inputs + outputs)) and sets the bias to zero. Here both get "
        "the same numbers from load(); until then Keras has zeros.",
    ),
    Remark(
        "head",
        "families._Writer.write",
        "",
        "x = layers.Permute((3, 1, 2), dtype=self.dtype)(x)  # PyTorch's order",
        "Flattening",
        "PyTorch flattens a map channel by channel, Keras pixel by pixel. A dense layer behind "
        "it would meet its inputs in the wrong order, so the map is turned first.",
    ),
    Remark(
        "head",
        "families._Writer.write",
        "",
        'constants = {"epsilon": item.epsilon, "momentum": item.momentum, **self.constants}',
        "Batch norm's constants",
        "Left alone, PyTorch has epsilon 1e-5, and its momentum 0.1 is the weight of the new "
        "batch. Keras has epsilon 1e-3, and its momentum 0.99 is the weight of the old value: a "
        "new batch counts 0.01. Matched runs take torchvision's.",
    ),
    Remark(
        "train",
        "training.make_step",
        "    def step(batch: Batch, lr: float) -> tuple[float, int]:",
        "    def traced(",
        "Run, or traced and then run",
        "PyTorch runs this Python at every step. TensorFlow runs it once, records the operations "
        "as a graph, and then runs the graph: an if on a Python value is decided at that first "
        "time. The input signature keeps a smaller last batch from being traced anew.",
    ),
    Remark(
        "train",
        "training.make_step",
        "labels = torch.from_numpy(batch.labels).to(network.device)",
        "with tf.device(network.device):",
        "Where tensors live",
        "A PyTorch operation wants all its tensors on one device, so each is moved by hand. "
        "TensorFlow copies what an operation needs to the device that it runs on.",
    ),
    Remark(
        "train",
        "training.make_step",
        "optimizer.zero_grad()",
        "",
        "Old gradients",
        "PyTorch adds new gradients to those of the last step, so they are cleared first. Forget "
        "it, and every step follows the sum of all before. A tape gives fresh gradients.",
    ),
    Remark(
        "train",
        "training.make_step",
        "with network.arithmetic():",
        "with tf.GradientTape() as tape:",
        "Two contexts, two purposes",
        "PyTorch's chooses the precision (autocast); gradients are recorded anyway. TensorFlow's "
        "turns the recording on; the precision is a matter of each layer's policy.",
    ),
    Remark(
        "train",
        "training.make_step",
        "logits = part(inputs).to(network.dtype)",
        "logits = tf.cast(part(network.preprocess(inputs), training=True), network.dtype)",
        "Where the mode is set",
        "Keras is told with the call. PyTorch's modules were put into their modes before, by "
        "apply_freeze(); the call looks the same in training and in prediction.",
    ),
    Remark(
        "train",
        "training.make_step",
        "loss = torch.nn.functional.cross_entropy(",
        "loss = cross_entropy(labels, logits, recipe)",
        "The loss",
        "PyTorch's takes logits and class numbers, and smooths labels itself. TensorFlow has one "
        "loss for class numbers, without smoothing, and one for one-hot targets: so "
        "cross_entropy() makes the targets.",
    ),
    Remark(
        "train",
        "training.make_step",
        "loss.backward()",
        "gradients = tape.gradient(loss, variables)",
        "Backward, or a tape",
        "backward() goes from the loss to every weight that learns and leaves each gradient at "
        "its weight, in .grad. A tape is asked for the gradients of named variables and returns "
        "them as a list.",
    ),
    Remark(
        "train",
        "training.make_step",
        "optimizer.step()",
        "optimizer.apply(gradients, variables)",
        "The update",
        "PyTorch's optimiser finds the gradients at the weights that it was given. Keras's is "
        "handed gradients and variables, in the same order.",
    ),
    Remark(
        "train",
        "training.cross_entropy",
        "",
        "losses = keras.losses.categorical_crossentropy(target, probabilities)",
        "Logits or probabilities",
        "Keras's losses expect probabilities unless they are told from_logits=True. From a softmax "
        "layer's own output they go back to its logits. Others, as here behind tf.identity, are "
        "clipped to 1e-7: a wrong answer that is very sure then costs no more than 16.1, and its "
        "gradient is gone.",
    ),
    Remark(
        "train",
        "optimizers.make_optimizer",
        "parameters = module.parameters(recurse=False)",
        "blocks.setdefault(state.layer.block, []).extend(layer.trainable_variables)",
        "What is handed to the optimiser",
        "parameters() lists frozen weights too; trainable_variables leaves them out, and running "
        "statistics as well. In PyTorch those are no parameters but buffers.",
    ),
    Remark(
        "train",
        "optimizers.make_optimizer",
        '{"params": parameters, "name": block, "factor": phase.block_rates.get(block, 1.0)}',
        '{"params": variables, "name": block, "factor": phase.block_rates.get(block, 1.0)}',
        "A rate for each group",
        "PyTorch's optimisers take groups, each with a learning rate of its own. Keras's have "
        "one rate for all: ftkit's GroupedOptimizer multiplies it by the variable's factor.",
    ),
    Remark(
        "train",
        "optimizers.make_optimizer",
        "",
        "keras.config.set_floatx(network.dtype)",
        "The type of a learning rate",
        "Keras keeps the rate in its default type, float32 unless it is told otherwise: in a "
        "float64 run that would round it. PyTorch's is a Python number, which is float64.",
    ),
    Remark(
        "train",
        "optimizers.make_optimizer",
        "",
        '"decoupled": recipe.optimizer == "adamw" or "weight-decay" in native,',
        "Weight decay",
        "PyTorch's SGD, Adam and RMSprop add decay times weight to the gradient. In Keras every "
        "optimiser shrinks the weights themselves, as AdamW does in PyTorch.",
    ),
    Remark(
        "train",
        "optimizers.make_optimizer",
        "return optim.Adam(groups, lr=lr, weight_decay=decay)",
        'optimizer = Adam(epsilon_first="adam-epsilon" in native, **options)',
        "Adam's epsilon",
        "PyTorch adds 1e-8 after the bias correction of the root, Keras 1e-7 before it: at the "
        "first step that is like 3.2e-6 added after. No constant makes the two equal, so ftkit "
        "writes PyTorch's update for Keras.",
    ),
    Remark(
        "train",
        "optimizers.make_optimizer",
        "",
        "optimizer.build([variable for variables in blocks.values() for variable in variables])",
        "What an optimiser remembers",
        "Keras's makes its velocities and moments now, for a fixed list of variables: after "
        "unfreezing more, a new one is needed. PyTorch's makes them at a weight's first step.",
    ),
    Remark(
        "train",
        "optimizers.set_rate",
        'group["lr"] = lr * group["factor"]',
        "optimizer.learning_rate.assign(lr)",
        "Changing the rate",
        "A Python number would be written into the traced graph for good, so Keras's rate is a "
        "variable. PyTorch reads its number anew at every step.",
    ),
    Remark(
        "train",
        "training.train",
        'phase = replace(phase, freeze=replace(phase.freeze, frozen_batch_norm="statistics"))',
        "",
        "A difference, switched on",
        "With the switch frozen-batch-norm, PyTorch's frozen batch norm does what "
        "requires_grad=False alone makes it do: the statistics move.",
    ),
    Remark(
        "train",
        "training.train",
        "for rates in recorder.rates(phase):\n                apply_freeze(network, states)",
        "",
        "Modes, once more each epoch",
        "A PyTorch epoch begins with train mode, since evaluation needs the other one, and "
        "train() undoes every eval(): what is frozen is put back each time. In TensorFlow the "
        "policies of the phase still hold.",
    ),
    Remark(
        "train",
        "training.train",
        "",
        'buffered = "shuffling" in recipe.differences',
        "Shuffling",
        "A usual PyTorch loader draws a permutation of all pictures. A tf.data pipeline draws "
        "from a buffer, of 1024 where Keras's loader is given batch_size=None. Matched runs "
        "share one permutation, drawn with NumPy; this switch gives TensorFlow its buffer.",
    ),
    Remark(
        "predict",
        "backbones.Network.preprocess",
        "return (pixels * scale - shift).permute(0, 3, 1, 2)",
        "return pixels * scale - shift",
        "Channels first or last",
        "Pictures come as (n, height, width, 3). PyTorch takes (n, 3, height, width), so the axes "
        "are turned; TensorFlow takes them as they are.",
    ),
    Remark(
        "predict",
        "backbones.Network.preprocess",
        "",
        "scaling = keras_scaling(self.architecture.name)",
        "The scale of the input",
        "torchvision's ResNet and VGG take RGB on 0..1, minus a mean, divided by a deviation. "
        "keras.applications' take BGR on 0..255 minus a mean. Weights fit only the scale that "
        "they were trained with.",
    ),
    Remark(
        "predict",
        "backbones.Network.preprocess",
        "pixels = given.to(self.device).to(self.dtype)",
        "pixels = tf.cast(inputs, self.dtype)",
        "Device and type",
        "PyTorch mixes no devices: the bytes go to the network's first, then become numbers "
        "there. TensorFlow's tf.device around the call takes care of the place.",
    ),
    Remark(
        "predict",
        "prediction.predictor",
        "with network.inference():",
        "return tf.cast(part(network.preprocess(inputs), training=False), network.dtype)",
        "Inference mode",
        "PyTorch needs two things: eval(), so that batch norm and dropout are still, and "
        "no_grad(), so that nothing is recorded. Keras needs training=False alone; without a "
        "tape nothing is recorded.",
    ),
    Remark(
        "predict",
        "prediction.predictor",
        "",
        "@tf.function(input_signature=[network.takes(part)], autograph=False)",
        "Traced once",
        "The signature leaves the number of pictures open, so that a last, smaller batch runs in "
        "the same graph. PyTorch runs the Python each time.",
    ),
    Remark(
        "predict",
        "prediction.predict",
        "return torch.cat([compute(batch) for batch in evaluation_batches(images)]).cpu().numpy()",
        "return np.concatenate([compute(batch) for batch in evaluation_batches(images)])",
        "Back to NumPy",
        "A PyTorch tensor on a GPU must be brought to the CPU by hand before NumPy can read it. "
        "TensorFlow's tensors copy themselves.",
    ),
    Remark(
        "predict",
        "prediction.evaluate",
        "loss = torch.nn.functional.cross_entropy(logits, labels)",
        "loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits))",
        "The other way round",
        "PyTorch's losses take the prediction first and the truth second; TensorFlow's and "
        "Keras's take the truth first. PyTorch's is the batch's mean already, TensorFlow's one "
        "number for each picture.",
    ),
)
