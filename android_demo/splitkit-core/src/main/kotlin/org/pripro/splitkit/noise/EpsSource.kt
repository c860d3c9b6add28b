package org.pripro.splitkit.noise

/**
 * The head's second input: standard normal noise, drawn anew for each request from the system's secure generator.
 *
 * The buffer is reused, so draw, run the head, then [forget]. Not for two threads at once.
 *
 * @param values how many features one request has.
 */
public class EpsSource(values: Int) {
    private val stream = KeyStream()
    private val normal = Ziggurat(stream)
    private val buffer = FloatArray(values)

    /** Fills and returns the buffer; the next draw overwrites it. */
    public fun draw(): FloatArray {
        stream.rekey()
        for (i in buffer.indices) buffer[i] = normal.next()
        stream.wipe()
        return buffer
    }

    /** Wipes the noise once the head has used it: whoever knows it can subtract it. */
    public fun forget(): Unit = buffer.fill(0f)
}
