package org.pripro.splitkit.noise

import org.pripro.splitkit.BundleRefused
import org.pripro.splitkit.bundle.Bundle

/**
 * The head's second input: standard normal noise for one photo.
 *
 * The buffer is reused, so draw, run the head, then [forget]. Not for two threads at once.
 *
 * @param values how many features one request has.
 */
public class EpsSource(values: Int, private val keys: NoiseKeys = NoiseKeys.fresh()) {
    private val stream = KeyStream()
    private val normal = Ziggurat(stream)
    private val buffer = FloatArray(values)

    /**
     * Fills and returns the buffer; the next draw overwrites it.
     *
     * @param image the head's other input, which memoised noise depends on.
     */
    public fun draw(image: FloatArray): FloatArray {
        val key = keys.key(image)
        stream.rekey(key)
        key.fill(0)
        for (i in buffer.indices) buffer[i] = normal.next()
        stream.wipe()
        return buffer
    }

    /** Wipes the noise once the head has used it: whoever knows it can subtract it. */
    public fun forget(): Unit = buffer.fill(0f)

    public companion object {
        /**
         * The noise that a bundle asks for, or null where its head takes none.
         *
         * @throws BundleRefused several tensors are protected, or the device has no secret that memoised noise needs.
         */
        public fun of(bundle: Bundle, secret: DeviceSecret?): EpsSource? {
            val eps = bundle.manifest.protection?.eps ?: return null
            if (eps.size > 1) throw BundleRefused("The head takes ${eps.size} noise inputs, this app draws one; choose a cut point where one tensor crosses.")
            return eps.firstOrNull()?.let { EpsSource(it.values, NoiseKeys.of(bundle, secret)) }
        }
    }
}
