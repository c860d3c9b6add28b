"""Names of the golden rows: real images, and those that are chosen to be hard."""

PHOTO = "photo"
#: the first photo once more, with another eps
OTHER_DRAW = "another eps"
NO_NOISE = "eps 0"
SWINGING = "eps +-6 sigma"
SATURATED = "eps +6 sigma"
#: images of one colour, and of the extreme pixel values only
BLACK, WHITE, GREY = "black", "white", "grey"
ALTERNATING = "checkerboard"
SPECKLE = "extreme pixels"
#: rows whose image is no photo
IMAGES = (BLACK, WHITE, GREY, ALTERNATING, SPECKLE)
