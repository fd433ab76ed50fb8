// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {LeaseStorage} from "contracts/src/escrow/LeaseStorage.sol";
import {IERC4906} from "contracts/src/interfaces/IERC4906.sol";
import {IERC4907} from "contracts/src/interfaces/IERC4907.sol";
import {IERC5646} from "contracts/src/interfaces/IERC5646.sol";
import {IERC7572} from "contracts/src/interfaces/IERC7572.sol";
import {ILeaseDescriptor} from "contracts/src/interfaces/ILeaseDescriptor.sol";
import {ILeaseEscrow} from "contracts/src/interfaces/ILeaseEscrow.sol";
import {Lease} from "contracts/src/interfaces/LeaseTypes.sol";
import {Fits} from "contracts/src/libraries/Fits.sol";
import {Progress, Schedule} from "contracts/src/libraries/Packed.sol";
import {Settlement} from "contracts/src/libraries/Settlement.sol";
import {ERC721} from "solady/tokens/ERC721.sol";
import {FixedPointMathLib} from "solady/utils/FixedPointMathLib.sol";

/// @title A lease as an NFT
/// @notice ERC-721 with a user beside the owner (ERC-4907) and a fingerprint of its state
/// (ERC-5646). The user controls only the destination of the work, until a transfer.
abstract contract LeaseToken is LeaseStorage, ERC721, IERC4906, IERC4907, IERC5646, IERC7572 {
    uint256 internal constant MAX_BOX = 512;

    struct User {
        address account;
        uint64 expires;
    }

    /// @inheritdoc ILeaseEscrow
    address public immutable descriptor;
    mapping(uint256 id => User) private _users;

    constructor(address descriptor_) {
        require(descriptor_ != address(0), ZeroAddress());
        descriptor = descriptor_;
    }

    // ---------------------------------------------------------------- user

    /// @inheritdoc IERC4907
    function setUser(uint256 id, address user, uint64 expires) external {
        require(_isApprovedOrOwner(msg.sender, id), NotLeaseOwner(id, msg.sender));
        _users[id] = User({account: user, expires: expires});
        emit UpdateUser(id, user, expires);
    }

    /// @inheritdoc IERC4907
    function userOf(uint256 id) public view returns (address) {
        User memory user = _users[id];
        return block.timestamp <= user.expires ? user.account : address(0);
    }

    /// @inheritdoc IERC4907
    function userExpires(uint256 id) external view returns (uint256) {
        return _users[id].expires;
    }

    /// @inheritdoc ILeaseEscrow
    function controllerOf(uint256 id) public view returns (address controller) {
        controller = userOf(id);
        if (controller == address(0)) controller = ownerOf(id);
    }

    /// @inheritdoc ILeaseEscrow
    function setBoxes(uint256 id, bytes calldata nodeBox, bytes calldata gatewayBox) external {
        require(msg.sender == controllerOf(id), NotController(id, msg.sender));
        require(!_meters[id].progress.isSettled(), AlreadySettled(id));
        _logBoxes(id, nodeBox, gatewayBox);
    }

    function _logBoxes(uint256 id, bytes calldata nodeBox, bytes calldata gatewayBox) internal {
        require(nodeBox.length <= MAX_BOX, BoxTooLong(MAX_BOX, nodeBox.length));
        require(gatewayBox.length <= MAX_BOX, BoxTooLong(MAX_BOX, gatewayBox.length));
        emit Boxes(id, nodeBox, gatewayBox);
    }

    function _beforeTokenTransfer(address from, address to, uint256 id) internal override {
        // nobody could withdraw the lease's refunds
        require(to != address(this), InvalidRecipient(to));
        // a new lease has no user
        if (from == address(0)) return;
        User memory user = _users[id];
        if (user.account == address(0) && user.expires == 0) return;
        delete _users[id];
        emit UpdateUser(id, address(0), 0);
    }

    // ---------------------------------------------------------------- views

    /// @inheritdoc ILeaseEscrow
    function lease(uint256 id) external view returns (Lease memory l) {
        Schedule schedule = _scheduleOf(id);
        Progress progress = _meters[id].progress;
        Particulars memory particulars = _particulars[id];
        Funds memory funds = _funds[id];
        l = Lease({
            provider: _providers[particulars.provider],
            token: _tokens[particulars.token],
            jobSigner: particulars.jobSigner,
            oracle: schedule.oracle(),
            algorithm: schedule.algorithm(),
            weightLog2: schedule.weightLog2(),
            ending: schedule.ending(),
            signerDictated: schedule.isSignerDictated(),
            // the packed fields are exactly this wide
            rate: Fits.u96(schedule.rate()),
            start: Fits.u40(schedule.start()),
            end: Fits.u40(schedule.end()),
            duration: Fits.u32(schedule.duration()),
            epochLength: Fits.u32(schedule.epochLength()),
            cancelBps: particulars.cancelBps,
            bondBps: particulars.bondBps,
            payment: funds.payment,
            bond: Fits.u128(Settlement.bondLeft(schedule, progress, _stakes(schedule, funds, particulars))),
            held: funds.held,
            credited: progress.credited(),
            due: progress.due(),
            asOf: Fits.u40(FixedPointMathLib.min(progress.time(), schedule.end())),
            lastAt: progress.isLast() ? progress.time() : 0,
            collectedWork: _getExtraData(id),
            settled: progress.isSettled()
        });
        assembly ("memory-safe") {
            // words of a struct in memory are its encoding
            return(l, 0x300)
        }
    }

    /// @inheritdoc IERC5646
    function getStateFingerprint(uint256 id) external view returns (bytes32) {
        Schedule schedule = _scheduleOf(id);
        return keccak256(abi.encode(address(this), id, schedule, _meters[id].progress, _funds[id], _users[id]));
    }

    function name() public pure override returns (string memory) {
        return "Hashlease";
    }

    function symbol() public pure override returns (string memory) {
        return "LEASE";
    }

    /// @inheritdoc IERC7572
    function contractURI() external view returns (string memory) {
        return ILeaseDescriptor(descriptor).contractURI(address(this));
    }

    function tokenURI(uint256 id) public view override returns (string memory) {
        return ILeaseDescriptor(descriptor).tokenURI(address(this), id);
    }

    /// @dev ERC-165: ERC-4906, ERC-4907 and ERC-5646 besides the interfaces of an ERC-721.
    function supportsInterface(bytes4 interfaceId) public view override returns (bool) {
        return interfaceId == 0x49064906 || interfaceId == 0xad092b5c || interfaceId == 0xf5112315
            || super.supportsInterface(interfaceId);
    }
}
