package org.pripro.splitkit.photo

/**
 * The eight ways in which a camera may store a picture, by their number in EXIF (TIFF tag 0x0112).
 *
 * Source: CIPA DC-008 (Exif 2.3), tag Orientation; Pillow's ImageOps.exif_transpose turns the same way.
 */
public enum class Orientation(private val exif: Int, private val swaps: Boolean, private val flipsX: Boolean, private val flipsY: Boolean) {
    UPRIGHT(1, false, false, false),
    FLIPPED(2, false, true, false),
    ROTATED_180(3, false, true, true),
    FLIPPED_VERTICALLY(4, false, false, true),
    TRANSPOSED(5, true, false, false),
    ROTATED_90(6, true, false, true),
    TRANSVERSED(7, true, true, true),
    ROTATED_270(8, true, true, false),
    ;

    /** The upright picture's width of a stored one. */
    public fun width(stored: Int, storedHeight: Int): Int = if (swaps) storedHeight else stored

    /** The upright picture's height of a stored one. */
    public fun height(storedWidth: Int, stored: Int): Int = if (swaps) storedWidth else stored

    /** The stored column of the upright pixel (x, y). */
    public fun storedX(x: Int, y: Int, storedWidth: Int): Int = (if (swaps) y else x).let { if (flipsX) storedWidth - 1 - it else it }

    /** The stored row of the upright pixel (x, y). */
    public fun storedY(x: Int, y: Int, storedHeight: Int): Int = (if (swaps) x else y).let { if (flipsY) storedHeight - 1 - it else it }

    /** Whether an upright row is a stored column. */
    public val turnsRows: Boolean get() = swaps

    public companion object {
        /** The orientation of that EXIF number; unknown numbers are upright, as every viewer takes them. */
        public fun of(exif: Int): Orientation = values().firstOrNull { it.exif == exif } ?: UPRIGHT
    }
}
