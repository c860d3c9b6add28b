// STUB: the signatures that the sources use, so that Linux can type-check them. Never linked, never shipped.\n
@_exported import CoreGraphics
@_exported import Foundation


public final class UIImage: NSObject, @unchecked Sendable {
    public init?(data: Data) { fatalError() }
    public init?(named name: String) { fatalError() }
    public enum Orientation: Int, Sendable { case up, down, left, right, upMirrored, downMirrored, leftMirrored, rightMirrored }
    public var cgImage: CGImage? { fatalError() }
    public var imageOrientation: Orientation { fatalError() }
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
