package org.pripro.splitkit.photo

import org.pripro.splitkit.BundleRefused
import org.pripro.splitkit.bundle.Preprocess

/**
 * From a photo to the head's input, as toolkit/datasets/_preprocess.py does it.
 *
 * @throws BundleRefused means and deviations that do not fit the channels.
 */
public class Preprocessor(private val how: Preprocess) {
    private val filter = when (how.interpolation) {
        "bilinear" -> PillowResize.Filter.BILINEAR
        "bicubic" -> PillowResize.Filter.BICUBIC
        else -> PillowResize.Filter.NEAREST
    }

    init {
        if (how.mean.size != how.channels || how.std.size != how.channels) {
            throw BundleRefused("The bundle has ${how.mean.size} means and ${how.std.size} deviations for ${how.channels} channels; make it anew.")
        }
    }

    /** @return [C,H,W], each channel scaled to [0, 1] or [0, 255], minus its mean, divided by its deviation. */
    public fun apply(photo: Photo): FloatArray {
        val planes = pixels(photo)
        val size = how.height * how.width
        val image = FloatArray(how.channels * size)
        for (channel in 0 until how.channels) {
            val plane = planes[if (how.order == "BGR") how.channels - 1 - channel else channel]
            val mean = how.mean[channel].toFloat()
            val std = how.std[channel].toFloat()
            for (i in 0 until size) {
                val level = if (how.valueRange == 1) plane[i] / 255f else plane[i].toFloat()
                image[channel * size + i] = (level - mean) / std
            }
        }
        return image
    }

    /** 8-bit planes of the input's size, red first. */
    private fun pixels(photo: Photo): List<IntArray> {
        val whole = PillowResize.Box(0f, 0f, photo.width.toFloat(), photo.height.toFloat())
        return when (how.resize) {
            "center-crop" -> resize(photo, how.width, how.height, centre(photo))
            "shorter-side" -> {
                val short = how.shorterSide ?: minOf(how.width, how.height)
                val longer = (short.toLong() * maxOf(photo.width, photo.height) / minOf(photo.width, photo.height).toDouble()).toInt()
                val (wide, high) = if (photo.width <= photo.height) short to longer else longer to short
                middle(resize(photo, wide, high, whole), wide, high, List(how.channels) { 0 })
            }
            "pad" -> {
                val ratio = maxOf(photo.height.toDouble() / how.height, photo.width.toDouble() / how.width)
                val wide = maxOf(Math.rint(photo.width / ratio).toInt(), 1)
                val high = maxOf(Math.rint(photo.height / ratio).toInt(), 1)
                val mean = if (how.order == "BGR") how.mean.reversed() else how.mean
                middle(resize(photo, wide, high, whole), wide, high, mean.map { Math.rint(255 * it / how.valueRange).toInt().coerceIn(0, 255) })
            }
            else -> resize(photo, how.width, how.height, whole)
        }
    }

    private fun resize(photo: Photo, wide: Int, high: Int, box: PillowResize.Box) = when {
        how.antialias || filter == PillowResize.Filter.NEAREST -> PillowResize.resize(photo, how.channels, wide, high, box, filter)
        else -> PillowResize.sample(photo, how.channels, wide, high, box, filter)
    }

    /** The largest part of the input's shape, from the middle; its borders may lie between pixels. */
    private fun centre(photo: Photo): PillowResize.Box {
        val side = minOf(photo.width.toDouble() / how.width, photo.height.toDouble() / how.height)
        val wide = side * how.width
        val high = side * how.height
        val left = (photo.width - wide) / 2
        val top = (photo.height - high) / 2
        return PillowResize.Box(left.toFloat(), top.toFloat(), (left + wide).toFloat(), (top + high).toFloat())
    }

    /** The middle of a picture; what is missing there is [fill]. Python's rounding: half to even, and downwards for the paste. */
    private fun middle(planes: List<IntArray>, wide: Int, high: Int, fill: List<Int>): List<IntArray> {
        val left = Math.rint((maxOf(wide, how.width) - how.width) / 2.0).toInt() - (maxOf(wide, how.width) - wide) / 2
        val top = Math.rint((maxOf(high, how.height) - how.height) / 2.0).toInt() - (maxOf(high, how.height) - high) / 2
        return planes.mapIndexed { channel, plane ->
            IntArray(how.width * how.height) {
                val (x, y) = it % how.width + left to it / how.width + top
                if (x in 0 until wide && y in 0 until high) plane[y * wide + x] else fill[channel]
            }
        }
    }
}
