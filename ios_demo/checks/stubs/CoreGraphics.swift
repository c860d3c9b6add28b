// STUB: the signatures that the sources use, so that Linux can type-check them. Never linked, never shipped.

@_exported import Foundation

public enum CGImageAlphaInfo: UInt32, Sendable { case none, premultipliedLast, premultipliedFirst, last, first, noneSkipLast, noneSkipFirst }
public enum CGInterpolationQuality: Int32, Sendable { case `default`, none, low, high, medium }
public enum CGColorSpaceModel: Int32, Sendable { case unknown = -1, monochrome, rgb, cmyk, lab }
public final class CGColorSpace { public var model: CGColorSpaceModel { fatalError() } }
public func CGColorSpaceCreateDeviceRGB() -> CGColorSpace { fatalError() }
public func CGColorSpaceCreateDeviceGray() -> CGColorSpace { fatalError() }
public final class CGImage: @unchecked Sendable {
    public var width: Int { fatalError() }
    public var height: Int { fatalError() }
    public var colorSpace: CGColorSpace? { fatalError() }
}
public final class CGContext {
    public init?(
        data: UnsafeMutableRawPointer?, width: Int, height: Int, bitsPerComponent: Int, bytesPerRow: Int, space: CGColorSpace,
        bitmapInfo: UInt32
    ) { fatalError() }
    public var interpolationQuality: CGInterpolationQuality { get { fatalError() } set { fatalError() } }
    public func setFillColor(gray: CGFloat, alpha: CGFloat) { fatalError() }
    public func fill(_ rect: CGRect) { fatalError() }
    public func draw(_ image: CGImage, in rect: CGRect) { fatalError() }
    public func makeImage() -> CGImage? { fatalError() }
}
