// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {Offer, RentRequest} from "contracts/src/interfaces/LeaseTypes.sol";
import {Base64} from "solady/utils/Base64.sol";
import {LibString} from "solady/utils/LibString.sol";
import {Rented} from "tests/support/Rented.sol";

/// @notice Known faults of a lease's metadata.
contract MetadataFaultsTest is Rented {
    /// @notice Today: a provider that dictates a job signer of its own is shown as not
    /// self-attributed, because the descriptor compares the signer with the provider's own address
    /// only.
    /// @dev Right: the lease keeps whether its offer dictated the signer, and the NFT shows it.
    function test_KnownFault_ADictatedJobSigner_IsShownAsNotSelfAttributed() public {
        Offer memory o = _offer();
        o.jobSigner = makeAddr("the provider's job key");
        RentRequest memory r = _request();
        r.jobSigner = o.jobSigner;
        string memory uri = escrow.tokenURI(_rent(o, r));
        string memory json = string(Base64.decode(LibString.slice(uri, bytes("data:application/json;base64,").length)));
        assertTrue(LibString.contains(json, '{"trait_type":"Self-attributed","value":"no"}'));
    }

    /// @notice Today: a token URI costs more than three million gas, too much for a reader on
    /// chain.
    /// @dev Right: less than a million, or a smaller URI for readers on chain.
    function test_KnownFault_ATokenUri_IsTooDearForReadersOnChain() public view {
        uint256 before = gasleft();
        escrow.tokenURI(id);
        uint256 spent = before - gasleft();
        assertGt(spent, 3_000_000);
    }
}
