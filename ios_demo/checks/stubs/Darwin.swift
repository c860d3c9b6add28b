// STUB: the signatures that the sources use, so that Linux can type-check them. Never linked, never shipped.\n
@_exported import Glibc
import Foundation

public let RUSAGE_SELF: Int32 = 0
public func getrusage(_ who: Int32, _ usage: UnsafeMutablePointer<rusage>) -> Int32 { fatalError() }

extension ProcessInfo {
    public enum ThermalState: Int, Sendable { case nominal, fair, serious, critical }
    public var thermalState: ThermalState { fatalError() }
}
