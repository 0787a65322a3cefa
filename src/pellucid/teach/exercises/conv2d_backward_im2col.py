"""Back through a convolution, by matrix products."""

from pellucid.teach.exercise import case, exercise
from pellucid.teach.exercises import conv2d_backward as by_loops

conv2d_backward = by_loops.conv2d_backward

SPEED = case("many pixels", N=8, C=8, H=28, W=28, F=16, KH=3, KW=3, stride=1, padding=1)


@exercise(
    chapter=6,
    title="Back through a convolution, by matrix products",
    make=by_loops.make,
    cases=by_loops.CASES,
    returns=("dx", "dw", "db"),
    laws=conv2d_backward.laws,
    speed=(SPEED, 20_000),
)
def conv2d_backward_im2col(dy, x, weight, stride=1, padding=0):
    """Return the same as `conv2d_backward`, by matrix products instead of loops over pixels.

    Forwards it was y = W · columns. So the filters' matrix gets dW = Σ dy · columnsᵀ over the
    batch, the columns get Wᵀ · dy, and `col2im` adds those where `im2col` had read. Here dy is
    written (N, F, OH·OW) and W (F, C·KH·KW).
    """
    return conv2d_backward(dy, x, weight, stride, padding)


conv2d_backward_im2col.mistakes += conv2d_backward.mistakes
