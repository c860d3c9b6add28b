package org.pripro.splitkit.head

import org.pripro.splitkit.HeadFailed

/**
 * The thread pool that a runtime shares among all heads of the process.
 *
 * ExecuTorch's pool is one for the process, and a load with another thread count replaces it while heads that are open go on
 * using the freed one. So heads of another count are closed before such a load. Whoever holds one of them need not know: it
 * is opened again, under its own count, when it runs next.
 */
public class SharedPool {
    private val open = LinkedHashSet<PooledHead>()
    private var threads = 0

    /** Opens a head by [load], which is called again whenever the head had to be closed in between. */
    @Synchronized
    public fun open(threads: Int, load: () -> HeadRunner): HeadRunner = PooledHead(threads, load).also { it.opened() }

    private fun makeRoomFor(wanted: Int) {
        if (wanted != threads) {
            open.forEach { it.release() }
            open.clear()
        }
        threads = wanted
    }

    private inner class PooledHead(private val threads: Int, private val load: () -> HeadRunner) : HeadRunner {
        private var runner: HeadRunner? = null
        private var isClosed = false

        override val ranOn: String? get() = runner?.ranOn

        fun opened(): HeadRunner {
            if (isClosed) throw HeadFailed("This head was closed; open it again.")
            return runner ?: run {
                makeRoomFor(threads)
                load().also {
                    runner = it
                    open.add(this)
                }
            }
        }

        fun release() {
            runner?.close()
            runner = null
        }

        override fun run(image: FloatArray, eps: FloatArray?): FloatArray = synchronized(this@SharedPool) { opened().run(image, eps) }

        override fun close() = synchronized(this@SharedPool) {
            isClosed = true
            open.remove(this)
            release()
        }
    }
}
