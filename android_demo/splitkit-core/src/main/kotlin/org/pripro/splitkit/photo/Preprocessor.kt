package org.pripro.splitkit.photo

import org.pripro.splitkit.bundle.Preprocess

/** From a photo to the head's input, as toolkit/datasets/_preprocess.py does it. */
public class Preprocessor(private val how: Preprocess) {
    /** @return [C,H,W], each channel scaled to [0, 1], minus its mean, divided by its deviation. */
    public fun apply(photo: Photo): FloatArray {
        val size = how.height * how.width
        val image = FloatArray(how.channels * size)
        PillowResize.resize(photo, how.channels, how.width, how.height, box(photo)).forEachIndexed { channel, small ->
            val mean = how.mean[channel].toFloat()
            val std = how.std[channel].toFloat()
            for (i in 0 until size) image[channel * size + i] = (small[i] / 255f - mean) / std
        }
        return image
    }

    private fun box(photo: Photo): PillowResize.Box {
        if (how.resize != "center-crop") return PillowResize.Box(0f, 0f, photo.width.toFloat(), photo.height.toFloat())
        val side = minOf(photo.width.toDouble() / how.width, photo.height.toDouble() / how.height)
        val wide = side * how.width
        val high = side * how.height
        val left = (photo.width - wide) / 2
        val top = (photo.height - high) / 2
        return PillowResize.Box(left.toFloat(), top.toFloat(), (left + wide).toFloat(), (top + high).toFloat())
    }
}
