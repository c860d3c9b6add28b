package org.pripro.splitkit.photo

/** A photo, upright, whose rows are read one at a time: a large one need not be in memory twice, nor be made smaller first. */
public interface Photo {
    public val width: Int
    public val height: Int

    /** Writes row [y] into the first [width] places of [into], as 0xAARRGGBB. */
    public fun row(y: Int, into: IntArray)
}

/** A photo in memory, 0xAARRGGBB, row by row. */
public class Pixels(override val width: Int, override val height: Int, public val argb: IntArray) : Photo {
    init {
        require(width > 0 && height > 0 && argb.size == width * height) { "$width x $height pixels are not ${argb.size}" }
    }

    override fun row(y: Int, into: IntArray) {
        argb.copyInto(into, 0, y * width, (y + 1) * width)
    }
}

/** One byte per pixel and channel: red, green, blue, or (for 1) grey by ITU-R 601 as Pillow rounds it; transparent pixels lie on white. */
internal fun channel(pixel: Int, channel: Int, channels: Int): Int {
    val opaque = if (pixel ushr 24 == 255) pixel else onWhite(pixel)
    return when {
        channels == 3 -> opaque shr (16 - 8 * channel) and 255
        else -> ((opaque shr 16 and 255) * 19595 + (opaque shr 8 and 255) * 38470 + (opaque and 255) * 7471 + 0x8000) shr 16
    }
}

/** A pixel with its alpha, seen on white. */
internal fun onWhite(pixel: Int): Int {
    val alpha = pixel ushr 24
    val blend = { shift: Int -> ((pixel shr shift and 255) * alpha + 255 * (255 - alpha) + 127) / 255 shl shift }
    return 0xff shl 24 or blend(16) or blend(8) or blend(0)
}
