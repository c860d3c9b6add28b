"""Named network builders: one file each with build(channels, classes), the file name is the network's name."""
