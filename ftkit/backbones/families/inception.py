"""Parallel branches (Szegedy et al. 2015, arXiv:1512.00567), as ``torchvision.models.inception``.

The auxiliary classifier of training is left out: it is no part of what is fine-tuned, and Keras
has none.
"""

from __future__ import annotations

from fractions import Fraction

from ftkit.backbones.blueprint import Blueprint, Kernel, Value

SPREAD = 0.1  # of random weights; torchvision's modules name it stddev


class Inception:
    """Writes Inception's modules, at full width or narrower.

    Args:
        plan: Takes the operations.
        width: All channels are multiplied by it.
    """

    def __init__(self, plan: Blueprint, width: Fraction = Fraction(1)) -> None:
        self.plan = plan
        self.width = width

    def conv(
        self,
        x: Value,
        name: str,
        out: int,
        kernel: Kernel,
        stride: int = 1,
        padding: Kernel = 0,
    ) -> Value:
        """A convolution, batch norm and ReLU (torchvision's ``BasicConv2d``)."""
        plan = self.plan
        channels = int(out * self.width)
        x = plan.conv(x, f"{name}.conv", channels, kernel, stride, padding, initial=SPREAD)
        return plan.apply("relu", plan.batch_norm(x, f"{name}.bn", scale=not plan.keras))

    def pooled(self, x: Value, name: str, out: int) -> Value:
        """The mean over 3 × 3 places, then a 1 × 1 convolution."""
        x = self.plan.avg_pool(x, 3, 1, padding="same" if self.plan.keras else 1)
        return self.conv(x, name, out, 1)

    def module_a(self, x: Value, name: str, pool_features: int) -> Value:
        """1 × 1, 5 × 5, and twice 3 × 3."""
        one = self.conv(x, f"{name}.branch1x1", 64, 1)
        five = self.conv(x, f"{name}.branch5x5_1", 48, 1)
        five = self.conv(five, f"{name}.branch5x5_2", 64, 5, padding=2)
        three = self.conv(x, f"{name}.branch3x3dbl_1", 64, 1)
        three = self.conv(three, f"{name}.branch3x3dbl_2", 96, 3, padding=1)
        three = self.conv(three, f"{name}.branch3x3dbl_3", 96, 3, padding=1)
        pool = self.pooled(x, f"{name}.branch_pool", pool_features)
        return self.plan.concat(one, five, three, pool)

    def module_b(self, x: Value, name: str) -> Value:
        """Halves the map: 3 × 3, twice 3 × 3, and max pooling."""
        three = self.conv(x, f"{name}.branch3x3", 384, 3, stride=2)
        double = self.conv(x, f"{name}.branch3x3dbl_1", 64, 1)
        double = self.conv(double, f"{name}.branch3x3dbl_2", 96, 3, padding=1)
        double = self.conv(double, f"{name}.branch3x3dbl_3", 96, 3, stride=2)
        return self.plan.concat(three, double, self.plan.max_pool(x, 3, 2))

    def module_c(self, x: Value, name: str, inner: int) -> Value:
        """7 × 7 as 1 × 7 and 7 × 1, once and twice."""
        row: Kernel = (1, 7)
        column: Kernel = (7, 1)
        along: Kernel = (0, 3)
        across: Kernel = (3, 0)
        one = self.conv(x, f"{name}.branch1x1", 192, 1)
        seven = self.conv(x, f"{name}.branch7x7_1", inner, 1)
        seven = self.conv(seven, f"{name}.branch7x7_2", inner, row, padding=along)
        seven = self.conv(seven, f"{name}.branch7x7_3", 192, column, padding=across)
        double = self.conv(x, f"{name}.branch7x7dbl_1", inner, 1)
        double = self.conv(double, f"{name}.branch7x7dbl_2", inner, column, padding=across)
        double = self.conv(double, f"{name}.branch7x7dbl_3", inner, row, padding=along)
        double = self.conv(double, f"{name}.branch7x7dbl_4", inner, column, padding=across)
        double = self.conv(double, f"{name}.branch7x7dbl_5", 192, row, padding=along)
        pool = self.pooled(x, f"{name}.branch_pool", 192)
        return self.plan.concat(one, seven, double, pool)

    def module_d(self, x: Value, name: str) -> Value:
        """Halves the map once more."""
        three = self.conv(x, f"{name}.branch3x3_1", 192, 1)
        three = self.conv(three, f"{name}.branch3x3_2", 320, 3, stride=2)
        seven = self.conv(x, f"{name}.branch7x7x3_1", 192, 1)
        seven = self.conv(seven, f"{name}.branch7x7x3_2", 192, (1, 7), padding=(0, 3))
        seven = self.conv(seven, f"{name}.branch7x7x3_3", 192, (7, 1), padding=(3, 0))
        seven = self.conv(seven, f"{name}.branch7x7x3_4", 192, 3, stride=2)
        return self.plan.concat(three, seven, self.plan.max_pool(x, 3, 2))

    def module_e(self, x: Value, name: str) -> Value:
        """Branches that end in 1 × 3 and 3 × 1 side by side."""
        one = self.conv(x, f"{name}.branch1x1", 320, 1)
        three = self.conv(x, f"{name}.branch3x3_1", 384, 1)
        wide = self.conv(three, f"{name}.branch3x3_2a", 384, (1, 3), padding=(0, 1))
        high = self.conv(three, f"{name}.branch3x3_2b", 384, (3, 1), padding=(1, 0))
        double = self.conv(x, f"{name}.branch3x3dbl_1", 448, 1)
        double = self.conv(double, f"{name}.branch3x3dbl_2", 384, 3, padding=1)
        wider = self.conv(double, f"{name}.branch3x3dbl_3a", 384, (1, 3), padding=(0, 1))
        higher = self.conv(double, f"{name}.branch3x3dbl_3b", 384, (3, 1), padding=(1, 0))
        pool = self.pooled(x, f"{name}.branch_pool", 192)
        return self.plan.concat(one, wide, high, wider, higher, pool)


def inception_v3(plan: Blueprint) -> Value:
    """The whole network: a stem and eleven modules, each a block of its own."""
    write = Inception(plan)
    plan.begin("stem", "maxpool2")
    x = write.conv(plan.picture, "Conv2d_1a_3x3", 32, 3, stride=2)
    x = write.conv(x, "Conv2d_2a_3x3", 32, 3)
    x = write.conv(x, "Conv2d_2b_3x3", 64, 3, padding=1)
    x = plan.max_pool(x, 3, 2)
    x = write.conv(x, "Conv2d_3b_1x1", 80, 1)
    x = write.conv(x, "Conv2d_4a_3x3", 192, 3)
    x = plan.max_pool(x, 3, 2)
    for name, features in (("Mixed_5b", 32), ("Mixed_5c", 64), ("Mixed_5d", 64)):
        plan.begin(name, name)
        x = write.module_a(x, name, features)
    plan.begin("Mixed_6a", "Mixed_6a")
    x = write.module_b(x, "Mixed_6a")
    for name, inner in (("Mixed_6b", 128), ("Mixed_6c", 160), ("Mixed_6d", 160), ("Mixed_6e", 192)):
        plan.begin(name, name)
        x = write.module_c(x, name, inner)
    plan.begin("Mixed_7a", "Mixed_7a")
    x = write.module_d(x, "Mixed_7a")
    for name in ("Mixed_7b", "Mixed_7c"):
        plan.begin(name, name)
        x = write.module_e(x, name)
    return x


def inception_s(plan: Blueprint) -> Value:
    """Four of the modules at half their width, behind a short stem, for 64-pixel pictures."""
    write = Inception(plan, Fraction(1, 2))
    plan.begin("stem", "maxpool1")
    x = write.conv(plan.picture, "Conv2d_1a_3x3", 32, 3, stride=2)
    x = write.conv(x, "Conv2d_2b_3x3", 64, 3, padding=1)
    x = plan.max_pool(x, 3, 2)
    for name, features in (("Mixed_5b", 32), ("Mixed_5c", 64)):
        plan.begin(name, name)
        x = write.module_a(x, name, features)
    plan.begin("Mixed_6a", "Mixed_6a")
    x = write.module_b(x, "Mixed_6a")
    plan.begin("Mixed_6b", "Mixed_6b")
    return write.module_c(x, "Mixed_6b", 128)
