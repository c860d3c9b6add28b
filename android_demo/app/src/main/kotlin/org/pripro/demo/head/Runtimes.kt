package org.pripro.demo.head

import org.pripro.demo.BundleRefused
import org.pripro.demo.bundle.Bundle
import org.pripro.demo.bundle.Head

/** The runtimes in this app, in order of preference; add a line to add one. */
object Runtimes {
    private val all: List<HeadRuntime> = listOf(ExecuTorchRuntime, LiteRtRuntime)

    fun of(head: Head): HeadRuntime? = all.firstOrNull { it.accepts(head) }

    /** The bundle's heads that this app can run, the preferred runtime first. */
    fun heads(bundle: Bundle): List<Head> {
        val found = bundle.manifest.heads.filter { of(it) != null }.sortedBy { all.indexOf(of(it)) }
        if (found.isEmpty()) {
            throw BundleRefused("The bundle has no head for this app; run pripro convert BUNDLE --to executorch, then copy it again.")
        }
        return found
    }

    /** Heads whose title starts with what a person or an intent asked for, word by word; "all" takes every one. */
    fun matching(heads: List<Head>, wanted: String): List<Head> {
        val words = wanted.trim().lowercase().split(Regex("[\\s:]+"))
        val found = if (words == listOf("all")) heads else heads.filter { head -> head.title.split(" ").take(words.size) == words }
        if (found.isEmpty()) {
            throw BundleRefused("No head fits \"$wanted\"; the bundle has: ${heads.joinToString { it.title }}.")
        }
        return found
    }
}
