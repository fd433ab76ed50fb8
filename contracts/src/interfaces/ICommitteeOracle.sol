// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

/// @notice What a committee says of one lease, all figures cumulative since the lease's start.
/// @param lease Lease id.
/// @param asOf End of the epoch up to which the figures count.
/// @param work Verified work, expected hashes.
/// @param due Work that was asked for, expected hashes.
/// @param evidence Chain over the epochs' commitments: `e_i = keccak256(e_{i−1} ‖ root_i ‖ count_i)`, `e_{−1} = 0`.
/// @param last No later statement will follow.
struct Statement {
    uint256 lease;
    uint40 asOf;
    uint96 work;
    uint96 due;
    bytes32 evidence;
    bool last;
}

/// @title A committee that re-checks evidence and credits leases
/// @notice An immutable list of member owners, M of whom must sign. Each owner replaces or retires its own signing
/// key and nobody else's. Statements are cumulative, so a late one catches up and a replay is harmless.
interface ICommitteeOracle {
    /// @notice A statement reached the escrow.
    event Stated(uint256 indexed lease, uint40 asOf, uint96 work, uint96 due, bytes32 evidence, bool last);
    /// @notice A member's signing key changed; zero retires the member until it sets another.
    event KeyReplaced(uint256 indexed member, address indexed owner, address key);
    /// @notice Where a member serves its API. A later event replaces an earlier one.
    event Announced(uint256 indexed member, address indexed key, string url);

    error BadCommittee();
    error NotMember(address caller);
    error KeyInUse(address key);
    error BadSignatureLength(uint256 length);
    error SignersNotAscending(uint256 index);
    error UnknownSigner(uint256 index, address recovered);
    error NotEnoughSignatures(uint256 threshold, uint256 actual);
    error EmptyBatch();

    /// @notice Credits the leases of `statements`. `signatures` are 65-byte `r ‖ s ‖ v` over the EIP-712 digest of
    /// `Batch(Statement[] statements)`, low-s, packed, in ascending order of member index.
    function submit(Statement[] calldata statements, bytes calldata signatures) external;
    /// @notice Sets the caller's own signing key; zero retires it.
    function replaceKey(address key) external;
    /// @notice Logs where the calling member (its owner or its signing key) serves its API.
    function announce(string calldata url) external;

    /// @notice The escrow that this committee credits in.
    function escrow() external view returns (address);
    /// @notice Signatures needed.
    function threshold() external view returns (uint256);
    /// @notice Number of members.
    function memberCount() external view returns (uint256);
    /// @notice Owner and current signing key of a member, by index from 0.
    function member(uint256 index) external view returns (address owner, address key);
    /// @notice The EIP-712 digest that members sign.
    function batchDigest(Statement[] calldata statements) external view returns (bytes32);
}
