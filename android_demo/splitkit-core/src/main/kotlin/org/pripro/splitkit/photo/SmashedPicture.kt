package org.pripro.splitkit.photo

import org.pripro.splitkit.bundle.TensorSpec
import kotlin.math.ceil
import kotlin.math.sqrt

/** What leaves the phone, as a picture: the channels side by side, each one stretched from black to white. */
public object SmashedPicture {
    /**
     * @param smashed [c,h,w].
     * @param spec its shape, batch first.
     * @param most how many channels are drawn.
     */
    public fun draw(smashed: FloatArray, spec: TensorSpec, most: Int = 64): Pixels {
        val (channels, height, width) = threeAxes(spec)
        val shown = minOf(channels, most)
        val columns = ceil(sqrt(shown.toDouble())).toInt()
        val rows = (shown + columns - 1) / columns
        val argb = IntArray(columns * width * rows * height) { BACKGROUND }
        for (channel in 0 until shown) {
            val start = channel * height * width
            val map = smashed.copyOfRange(start, start + height * width)
            val low = map.minOrNull() ?: 0f
            val span = ((map.maxOrNull() ?: 0f) - low).takeIf { it > 0f } ?: 1f
            for (y in 0 until height) {
                for (x in 0 until width) {
                    val grey = ((map[y * width + x] - low) / span * 255).toInt().coerceIn(0, 255)
                    val row = (channel / columns) * height + y
                    argb[row * columns * width + (channel % columns) * width + x] = 0xff shl 24 or (grey * 0x010101)
                }
            }
        }
        return Pixels(columns * width, rows * height, argb)
    }

    /** Features without positions (a vector) are drawn as one row. */
    private fun threeAxes(spec: TensorSpec): Triple<Int, Int, Int> {
        val axes = spec.shape.drop(1)
        return if (axes.size == 3) Triple(axes[0], axes[1], axes[2]) else Triple(1, 1, spec.values)
    }

    private const val BACKGROUND = 0xff000000.toInt()
}
