package org.pripro.splitkit.tail

import java.net.MalformedURLException
import java.net.URL

/**
 * Where a tail listens. Features travel encrypted: http is only for this phone itself (adb reverse) and for private
 * hosts that the app lists one by one. SplitKit for iOS keeps the same rule; tests/contract/addresses.json holds its cases.
 */
public object TailAddress {
    private val LOOPBACK = Regex("""localhost|127(\.[0-9]{1,3}){3}|\[?::1]?""")
    private val PRIVATE = Regex(
        """10(\.[0-9]{1,3}){3}|192\.168(\.[0-9]{1,3}){2}|172\.(1[6-9]|2[0-9]|3[01])(\.[0-9]{1,3}){2}|169\.254(\.[0-9]{1,3}){2}|""" +
            """\[?f[cd][0-9a-f:]+]?|\[?fe80:[0-9a-f:]+]?|[a-z0-9-]+\.local""",
    )

    /**
     * Joins what a person typed with the bundle's route.
     *
     * @param cleartextHosts private hosts to which features may go unencrypted, as the app lists them.
     * @throws TailFailed.BadAddress not a URL, another scheme, or http to a machine for which it is not allowed.
     */
    public fun resolve(typed: String, route: String, cleartextHosts: Set<String> = emptySet()): URL {
        val url = try {
            URL(typed.trim().trimEnd('/'))
        } catch (error: MalformedURLException) {
            throw TailFailed.BadAddress("\"$typed\" is no URL")
        }
        if (url.protocol != "https" && url.protocol != "http") throw TailFailed.BadAddress("${url.protocol} is not spoken")
        if (url.host.isEmpty()) throw TailFailed.BadAddress("\"$typed\" names no host")
        if (url.userInfo != null) throw TailFailed.BadAddress("a name or password in it is not sent")
        if (url.protocol == "http" && !mayBeReadable(url.host, cleartextHosts)) {
            throw TailFailed.BadAddress("features go to ${url.host} encrypted or not at all")
        }
        return URL("$url/${route.trimStart('/')}")
    }

    /** Loopback, or a private host that the app lists; a public one stays refused even if it is listed. */
    private fun mayBeReadable(host: String, listed: Set<String>): Boolean {
        val name = host.lowercase()
        return LOOPBACK.matches(name) || (name in listed && PRIVATE.matches(name))
    }
}
