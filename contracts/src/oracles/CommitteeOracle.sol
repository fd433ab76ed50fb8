// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {ICommitteeOracle} from "contracts/src/interfaces/ICommitteeOracle.sol";
import {ILeaseEscrow} from "contracts/src/interfaces/ILeaseEscrow.sol";
import {Statement} from "contracts/src/interfaces/LeaseTypes.sol";
import {MerkleLib} from "contracts/src/libraries/MerkleLib.sol";
import {StatementLib} from "contracts/src/libraries/StatementLib.sol";
import {ECDSA} from "solady/utils/ECDSA.sol";
import {EIP712} from "solady/utils/EIP712.sol";
import {LibCall} from "solady/utils/LibCall.sol";
import {LibString} from "solady/utils/LibString.sol";

/// @title A committee of M of N
/// @notice Its address identifies the committee: owners and threshold never change, and only an
/// owner changes its own key.
contract CommitteeOracle is ICommitteeOracle, EIP712 {
    uint256 private constant MAX_MEMBERS = 32;
    uint256 private constant SIGNATURE_LENGTH = 65;

    /// @inheritdoc ICommitteeOracle
    address public immutable escrow;
    /// @inheritdoc ICommitteeOracle
    uint256 public immutable threshold;
    /// @inheritdoc ICommitteeOracle
    uint256 public immutable memberCount;

    /// @inheritdoc ICommitteeOracle
    mapping(bytes32 root => uint256) public postedAt;
    mapping(uint256 index => address) private _owners;
    mapping(uint256 index => address) private _keys;
    /// @dev Index + 1; zero means no seat.
    mapping(address owner => uint256) private _seatOfOwner;
    mapping(address key => uint256) private _seatOfKey;

    /// @param escrow_ Escrow that statements are credited in.
    /// @param owners Accounts that may replace each seat's key; distinct, at most 32.
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
        require(statements.length != 0, EmptyBatch());
        _checkSignatures(batchDigest(statements), signatures);
        // forwarded as received: re-encoding would cost as much as a slot for each statement
        bytes memory data =
            abi.encodePacked(ILeaseEscrow.credit.selector, uint256(0x20), statements.length, _raw(statements));
        // what each entry did is in the escrow's events
        // slither-disable-next-line unused-return
        LibCall.callContract(escrow, data);
    }

    /// @inheritdoc ICommitteeOracle
    function postRoot(bytes32 root, bytes calldata signatures) external {
        _checkSignatures(rootDigest(root), signatures);
        // the signatures were just checked under the keys of today, so a later posting is as good
        postedAt[root] = block.timestamp;
        emit RootPosted(root);
    }

    /// @inheritdoc ICommitteeOracle
    function submitFromRoot(Statement calldata statement, bytes32[] calldata proof) external {
        bytes32 root = MerkleLib.root(keccak256(abi.encode(StatementLib.hash(statement))), proof);
        uint256 posted = postedAt[root];
        require(posted != 0, UnknownRoot(root));
        // signers can't speak of times after the posting, so a replaced key says nothing about
        // later epochs
        require(statement.asOf <= posted, StatementAfterRoot(statement.asOf, posted));
        Statement[] memory statements = new Statement[](1);
        statements[0] = statement;
        // the same
        // slither-disable-next-line unused-return
        ILeaseEscrow(escrow).credit(statements);
    }

    /// @inheritdoc ICommitteeOracle
    function replaceKey(address key) external {
        uint256 seat = _seatOfOwner[msg.sender];
        require(seat != 0, NotMember(msg.sender));
        _setKey(seat - 1, key);
    }

    /// @inheritdoc ICommitteeOracle
    function announce(string calldata url) external {
        // an owner speaks for its own seat, even if another seat uses its address as a key
        uint256 seat = _seatOfOwner[msg.sender];
        if (seat == 0) seat = _seatOfKey[msg.sender];
        require(seat != 0, NotMember(msg.sender));
        emit Announced(seat - 1, _keys[seat - 1], url);
    }

    /// @inheritdoc ICommitteeOracle
    function member(uint256 index) external view returns (address owner, address key) {
        return (_owners[index], _keys[index]);
    }

    /// @inheritdoc ICommitteeOracle
    function name() external view returns (string memory) {
        return string.concat("Committee, ", LibString.toString(threshold), " of ", LibString.toString(memberCount));
    }

    /// @inheritdoc ICommitteeOracle
    function batchDigest(Statement[] calldata statements) public view returns (bytes32) {
        return _hashTypedData(StatementLib.hashBatch(statements));
    }

    /// @inheritdoc ICommitteeOracle
    function rootDigest(bytes32 root) public view returns (bytes32) {
        return _hashTypedData(StatementLib.hashRoot(root));
    }

    // the slice consists of two words, offset and length
    // slither-disable-start write-after-write
    function _raw(Statement[] calldata statements) private pure returns (bytes calldata raw) {
        assembly ("memory-safe") {
            raw.offset := statements.offset
            raw.length := mul(statements.length, 0xc0)
        }
    }

    // slither-disable-end write-after-write

    /// @dev Seats must ascend, so no seat counts twice.
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

    /// @dev EIP-2: a batch has only one valid set of signatures.
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
