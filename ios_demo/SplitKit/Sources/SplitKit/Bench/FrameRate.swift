import Foundation

/// One frame at a time: frames that come while one is being worked on are dropped, never queued, so that what is shown is never late.
/// Counts both, and gives the rate of the last frames.
public final class FrameRate: @unchecked Sendable {
    private let lock = NSLock()
    private let clock: @Sendable () -> Double
    private var ends: [Double] = []
    private var isBusy = false
    private var (counted, lost) = (0, 0)

    /// - Parameter clock: seconds, monotonic.
    public init(clock: @escaping @Sendable () -> Double = { Double(DispatchTime.now().uptimeNanoseconds) / 1e9 }) {
        self.clock = clock
    }

    /// Frames that were worked on.
    public var done: Int { lock.withLock { counted } }

    /// Frames that were dropped.
    public var dropped: Int { lock.withLock { lost } }

    /// Frames a second over the last frames; 0 until two are done.
    public var perSecond: Double {
        lock.withLock {
            guard let first = ends.first, let last = ends.last, last > first else { return 0 }
            return Double(ends.count - 1) / (last - first)
        }
    }

    /// Whether this frame may be worked on; `end` follows then. A frame that may not is counted as dropped.
    public func begin() -> Bool {
        lock.withLock {
            if isBusy { lost += 1 } else { isBusy = true; return true }
            return false
        }
    }

    /// The frame is done with, well or badly.
    public func end() {
        lock.withLock {
            isBusy = false
            counted += 1
            ends = ends.suffix(15) + [clock()]
        }
    }
}
