// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {ICommitteeOracle, Statement} from "contracts/src/interfaces/ICommitteeOracle.sol";
import {Credit, ILeaseEscrow} from "contracts/src/interfaces/ILeaseEscrow.sol";
import {StatementLib} from "contracts/src/libraries/StatementLib.sol";
import {ECDSA} from "solady/utils/ECDSA.sol";
import {EIP712} from "solady/utils/EIP712.sol";

/// @title A committee of M of N
/// @notice Its address says which committee: owners and threshold never change, keys only by their own owners.
contract CommitteeOracle is ICommitteeOracle, EIP712 {
    uint256 private constant MAX_MEMBERS = 32;
    uint256 private constant SIGNATURE_LENGTH = 65;

    /// @inheritdoc ICommitteeOracle
    address public immutable escrow;
    /// @inheritdoc ICommitteeOracle
    uint256 public immutable threshold;
    /// @inheritdoc ICommitteeOracle
    uint256 public immutable memberCount;

    mapping(uint256 index => address) private _owners;
    mapping(uint256 index => address) private _keys;
    /// @dev Index + 1, so that zero is nobody.
    mapping(address owner => uint256) private _seatOfOwner;
    mapping(address key => uint256) private _seatOfKey;

    /// @param escrow_ Where statements are credited.
    /// @param owners Who may replace each seat's key, distinct, at most 32.
    /// @param keys First signing key of each seat, distinct.
    /// @param threshold_ Signatures needed, 1 to the number of seats.
    constructor(address escrow_, address[] memory owners, address[] memory keys, uint256 threshold_) {
        uint256 count = owners.length;
        require(
            escrow_ != address(0) && count == keys.length && count <= MAX_MEMBERS && threshold_ > 0
                && threshold_ <= count,
            BadCommittee()
        );
        escrow = escrow_;
        threshold = threshold_;
        memberCount = count;
        for (uint256 i; i < count; ++i) {
            require(owners[i] != address(0) && _seatOfOwner[owners[i]] == 0, BadCommittee());
            require(keys[i] != address(0), BadCommittee());
            _owners[i] = owners[i];
            _seatOfOwner[owners[i]] = i + 1;
            _setKey(i, keys[i]);
        }
    }

    /// @inheritdoc ICommitteeOracle
    function submit(Statement[] calldata statements, bytes calldata signatures) external {
        uint256 count = statements.length;
        require(count != 0, EmptyBatch());
        _checkSignatures(batchDigest(statements), signatures);
        Credit[] memory credits = new Credit[](count);
        for (uint256 i; i < count; ++i) {
            Statement calldata s = statements[i];
            credits[i] = Credit({lease: s.lease, asOf: s.asOf, work: s.work, due: s.due, last: s.last});
            emit Stated(s.lease, s.asOf, s.work, s.due, s.evidence, s.last);
        }
        ILeaseEscrow(escrow).credit(credits);
    }

    /// @inheritdoc ICommitteeOracle
    function replaceKey(address key) external {
        uint256 seat = _seatOfOwner[msg.sender];
        require(seat != 0, NotMember(msg.sender));
        _setKey(seat - 1, key);
    }

    /// @inheritdoc ICommitteeOracle
    function announce(string calldata url) external {
        uint256 seat = _seatOfKey[msg.sender];
        if (seat == 0) seat = _seatOfOwner[msg.sender];
        require(seat != 0, NotMember(msg.sender));
        emit Announced(seat - 1, _keys[seat - 1], url);
    }

    /// @inheritdoc ICommitteeOracle
    function member(uint256 index) external view returns (address owner, address key) {
        return (_owners[index], _keys[index]);
    }

    /// @inheritdoc ICommitteeOracle
    function batchDigest(Statement[] calldata statements) public view returns (bytes32) {
        return _hashTypedData(StatementLib.hashBatch(statements));
    }

    /// @dev Ascending seats, so nobody counts twice. ECDSA refuses high s and foreign v.
    function _checkSignatures(bytes32 digest, bytes calldata signatures) private view {
        uint256 length = signatures.length;
        require(length % SIGNATURE_LENGTH == 0, BadSignatureLength(length));
        uint256 count = length / SIGNATURE_LENGTH;
        require(count >= threshold, NotEnoughSignatures(threshold, count));
        uint256 previous;
        for (uint256 i; i < count; ++i) {
            bytes calldata signature = signatures[i * SIGNATURE_LENGTH:(i + 1) * SIGNATURE_LENGTH];
            address signer = ECDSA.tryRecoverCalldata(digest, signature);
            uint256 seat = _seatOfKey[signer];
            require(signer != address(0) && seat != 0, UnknownSigner(i, signer));
            require(seat > previous, SignersNotAscending(i));
            require(_isLowS(signature), UnknownSigner(i, signer));
            previous = seat;
        }
    }

    /// @dev EIP-2, so that a batch has one set of signatures.
    function _isLowS(bytes calldata signature) private pure returns (bool) {
        return uint256(bytes32(signature[32:64])) <= 0x7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0;
    }

    function _setKey(uint256 index, address key) private {
        require(key == address(0) || _seatOfKey[key] == 0, KeyInUse(key));
        delete _seatOfKey[_keys[index]];
        _keys[index] = key;
        if (key != address(0)) _seatOfKey[key] = index + 1;
        emit KeyReplaced(index, _owners[index], key);
    }

    function _domainNameAndVersion() internal pure override returns (string memory, string memory) {
        return ("Hashlease", "1");
    }
}
