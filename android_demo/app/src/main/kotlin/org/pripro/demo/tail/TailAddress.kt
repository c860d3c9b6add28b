package org.pripro.demo.tail

import java.net.MalformedURLException
import java.net.URL

/** Where a tail listens. Plain http is only for this phone itself (adb reverse) and the emulator's host. */
object TailAddress {
    private val LOCAL = setOf("127.0.0.1", "localhost", "10.0.2.2")

    /**
     * Joins what a person typed with the bundle's route.
     *
     * @throws TailFailed.BadAddress no URL, another scheme, or http to another machine.
     */
    fun resolve(typed: String, route: String): URL {
        val url = try {
            URL(typed.trim().trimEnd('/'))
        } catch (error: MalformedURLException) {
            throw TailFailed.BadAddress("\"$typed\" is no URL")
        }
        if (url.protocol != "https" && url.protocol != "http") throw TailFailed.BadAddress("${url.protocol} is not spoken")
        if (url.host.isEmpty()) throw TailFailed.BadAddress("\"$typed\" names no host")
        if (url.protocol == "http" && url.host !in LOCAL) throw TailFailed.BadAddress("features go to ${url.host} encrypted or not at all")
        return URL("$url/${route.trimStart('/')}")
    }
}
