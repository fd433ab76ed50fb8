// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {Statement} from "contracts/src/interfaces/LeaseTypes.sol";

/// @title A committee that re-checks evidence and credits leases
/// @notice An immutable list of member owners, M of whom must sign. Each owner replaces or retires
/// only its own signing key. Statements are cumulative, so a late one catches up and a replay is
/// harmless.
interface ICommitteeOracle {
    /// @notice Enough members signed the root of a tree of statements; each statement can be
    /// credited from now on.
    event RootPosted(bytes32 indexed root);
    /// @notice A member's signing key changed; zero retires the member until it sets another.
    event KeyReplaced(uint256 indexed member, address indexed owner, address key);
    /// @notice A member serves its API at `url`. A later event replaces an earlier one.
    event Announced(uint256 indexed member, address indexed key, string url);

    error BadCommittee();
    error NotMember(address caller);
    error KeyInUse(address key);
    error BadSignatureLength(uint256 length);
    error SignersNotAscending(uint256 index);
    error UnknownSigner(uint256 index, address recovered);
    error NotEnoughSignatures(uint256 threshold, uint256 actual);
    error EmptyBatch();
    error UnknownRoot(bytes32 root);
    error StatementAfterRoot(uint40 asOf, uint256 postedAt);

    /// @notice Credits the leases of `statements`. `signatures` are 65-byte `r ‖ s ‖ v` over the
    /// EIP-712 digest of `Batch(Statement[] statements)`, low-s, packed, in ascending order of
    /// member index.
    function submit(Statement[] calldata statements, bytes calldata signatures) external;
    /// @notice Stores a signed root and the time; posting it again renews the time. `signatures` as
    /// for `submit`, over the EIP-712 digest of `Root(bytes32 root)`. Leaves of the tree are
    /// statement hashes, hashed once more; its pairs are sorted.
    function postRoot(bytes32 root, bytes calldata signatures) external;
    /// @notice Credits one lease out of a posted statement root; the statement's `asOf` must not be
    /// later than the posting. Anyone may call at any time.
    function submitFromRoot(Statement calldata statement, bytes32[] calldata proof) external;
    /// @notice Sets the caller's own signing key; zero retires it.
    function replaceKey(address key) external;
    /// @notice Logs the URL at which the calling member (its owner or its signing key) serves its
    /// API.
    function announce(string calldata url) external;

    /// @notice Escrow that this committee credits in.
    function escrow() external view returns (address);
    /// @notice Name of the committee, shown beside its address, like "Committee, 2 of 3".
    function name() external view returns (string memory);
    /// @notice Number of signatures needed.
    function threshold() external view returns (uint256);
    /// @notice Number of members.
    function memberCount() external view returns (uint256);
    /// @notice Owner and current signing key of a member, by index from 0.
    function member(uint256 index) external view returns (address owner, address key);
    /// @notice The EIP-712 digest that members sign.
    function batchDigest(Statement[] calldata statements) external view returns (bytes32);
    /// @notice The EIP-712 digest of a statement root that members sign.
    function rootDigest(bytes32 root) external view returns (bytes32);
    /// @notice Time at which a root was last posted, Unix seconds; zero if it was not.
    function postedAt(bytes32 root) external view returns (uint256);
}
