// STUB: the signatures that the sources use, so that Linux can type-check them. Never linked, never shipped.\n
@_exported import Foundation

public enum CGImageAlphaInfo: UInt32, Sendable { case none, premultipliedLast, premultipliedFirst, last, first, noneSkipLast, noneSkipFirst }
public enum CGInterpolationQuality: Int32, Sendable { case `default`, none, low, high, medium }
public final class CGColorSpace {}
public func CGColorSpaceCreateDeviceRGB() -> CGColorSpace { fatalError() }
public func CGColorSpaceCreateDeviceGray() -> CGColorSpace { fatalError() }
public final class CGImage {}
public final class CGContext {
    public init?(
        data: UnsafeMutableRawPointer?, width: Int, height: Int, bitsPerComponent: Int, bytesPerRow: Int, space: CGColorSpace,
        bitmapInfo: UInt32
    ) { fatalError() }
    public var interpolationQuality: CGInterpolationQuality { get { fatalError() } set { fatalError() } }
    public func translateBy(x: CGFloat, y: CGFloat) { fatalError() }
    public func scaleBy(x: CGFloat, y: CGFloat) { fatalError() }
    public func makeImage() -> CGImage? { fatalError() }
}

public func UIGraphicsPushContext(_ context: CGContext) { fatalError() }
public func UIGraphicsPopContext() { fatalError() }

public final class UIImage: NSObject, @unchecked Sendable {
    public init?(data: Data) { fatalError() }
    public var size: CGSize { fatalError() }
    public var scale: CGFloat { fatalError() }
    public func draw(in rect: CGRect) { fatalError() }
}

@MainActor
public final class UIDevice {
    public class var current: UIDevice { fatalError() }
    public var isBatteryMonitoringEnabled: Bool { get { fatalError() } set { fatalError() } }
    public var batteryLevel: Float { fatalError() }
}

@MainActor
open class UIViewController: NSObject {}

@MainActor
public protocol UINavigationControllerDelegate: AnyObject {}

@MainActor
public protocol UIImagePickerControllerDelegate: AnyObject {
    func imagePickerController(
        _ picker: UIImagePickerController, didFinishPickingMediaWithInfo info: [UIImagePickerController.InfoKey: Any])
    func imagePickerControllerDidCancel(_ picker: UIImagePickerController)
}

@MainActor
public final class UIImagePickerController: UIViewController {
    public enum SourceType: Int, Sendable { case photoLibrary, camera }
    public struct InfoKey: Hashable, Sendable { public static let originalImage = InfoKey() }
    public override init() { super.init() }
    public class func isSourceTypeAvailable(_ sourceType: SourceType) -> Bool { fatalError() }
    public var sourceType: SourceType { get { fatalError() } set { fatalError() } }
    public weak var delegate: (any UIImagePickerControllerDelegate & UINavigationControllerDelegate)? { get { fatalError() } set { fatalError() } }
}
